package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Identity returns a function that asks for the identity of the database of pool. It survives restarts and failovers. A restored
// dump is another database, so nothing that was cached of the original is taken for its own. A physical copy (a volume
// snapshot, pg_basebackup) has the identity of its original.
func Identity(pool *pgxpool.Pool) func(ctx context.Context) (string, error) {
	return func(ctx context.Context) (id string, err error) {
		const query = `
			SELECT system_identifier || '-' || oid
			FROM pg_control_system(), pg_database
			WHERE datname = current_database()`
		if err := pool.QueryRow(ctx, query).Scan(&id); err != nil {
			return "", fmt.Errorf("ask for the identity of the database (pg_control_system): %w", err)
		}
		return id, nil
	}
}
