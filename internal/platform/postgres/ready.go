package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// SchemaReady returns a readiness check: the database answers and its schema is at least at version want (the highest
// migration the binary was built with), so that a service that is rolled out before its migration waits unready.
func SchemaReady(pool *pgxpool.Pool, want uint) func(context.Context) error {
	return func(ctx context.Context) error {
		var version int64
		var dirty bool
		err := pool.QueryRow(ctx, `SELECT version, dirty FROM public.schema_migrations`).Scan(&version, &dirty)
		switch {
		case err != nil:
			return fmt.Errorf("read the schema version: %w", err)
		case dirty:
			return fmt.Errorf("schema version %d is half applied", version)
		case version < int64(want):
			return fmt.Errorf("schema version is %d, need %d: run the migrations", version, want)
		}
		return nil
	}
}
