package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// memory bounds the bytes of counts in memory before they are added to the shadow tables. A usual day needs less, so each
// shadow row is written once.
const memory = 64 << 20

// Count replaces the content of the shadow tables by the rollups of a snapshot and returns the number of raw rows.
func (s *Session) Count(ctx context.Context, snapshot *postgres.Snapshot) (int64, error) {
	if _, err := s.conn.Exec(ctx, `TRUNCATE `+postgres.Shadow.Qualified()); err != nil {
		return 0, fmt.Errorf("empty the shadow tables: %w", err)
	}
	return snapshot.Count(ctx, memory, func(deltas *rollup.Deltas) error {
		return platformpostgres.InTx(ctx, s.conn, pgx.TxOptions{}, func(tx pgx.Tx) error {
			return postgres.Shadow.Add(ctx, tx, 0, deltas)
		})
	})
}
