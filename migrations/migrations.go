// Package migrations embeds the schema of the database as one ordered sequence of SQL files. Package migrate applies them.
// Services only read the latest version, to check that the schema is new enough.
package migrations

import (
	"embed"
	"fmt"
	"io/fs"
)

// FS holds the files NNNNNN_name.up.sql and NNNNNN_name.down.sql.
//
//go:embed *.sql
var FS embed.FS

// Roles returns the roles of the services, which the first migration creates if they do not exist and if its login may.
func Roles() []string {
	return []string{"hp_auth", "hp_catalog", "hp_ingest", "hp_analytics", "hp_aggregator"}
}

// Latest returns the version of the newest migration.
func Latest() uint {
	names, err := fs.Glob(FS, "*.up.sql")
	if err != nil || len(names) == 0 {
		panic("migrations: no files are embedded") // impossible in a binary that was built
	}
	var version uint
	if _, err := fmt.Sscanf(names[len(names)-1], "%d_", &version); err != nil {
		panic("migrations: " + err.Error()) // likewise: names are checked by a test
	}
	return version
}
