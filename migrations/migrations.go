// Package migrations holds the schema of the database as one ordered sequence of SQL files, embedded. Package migrate
// applies them; services only ask for the latest version, to know whether the schema is new enough for them.
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
