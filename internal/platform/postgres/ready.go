package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// SchemaReady returns a readiness check. It passes when the database answers and its schema has at least version want, the
// latest migration that the binary was built with. A service that is rolled out before its migration stays unready, and one
// that is running stays ready while a later migration is in progress.
func SchemaReady(pool *pgxpool.Pool, want uint) func(context.Context) error {
	return func(ctx context.Context) error {
		var version int64
		err := pool.QueryRow(ctx, `SELECT version FROM public.schema_migrations`).Scan(&version)
		switch {
		case err != nil:
			return fmt.Errorf("read the schema version: %w", err)
		case version < int64(want):
			return fmt.Errorf("schema version is %d, need %d: run the migrations", version, want)
		}
		return nil
	}
}
