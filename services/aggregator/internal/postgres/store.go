// Package postgres holds the exactly-once protocol: a fold claims pending batches, adds their rows to the rollups and
// marks them aggregated, in one transaction. A fold that dies leaves the batches pending and the rollups unchanged. A
// second fold of the same batches finds nothing pending.
package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// Store folds as the role hp_aggregator.
type Store struct {
	Pool  *pgxpool.Pool
	Lanes int // how many folds can run at once, over all replicas; at most locks.MaxLanes
	Rows  int // the row budget of a fold: it claims batches until they reach it, and at most FoldBatches
}

// Folded describes what a fold did.
type Folded struct {
	Batches, Rows int
	Deltas        *rollup.Deltas // nil when nothing was folded
	NoLane        bool           // nothing was folded because every lane was taken
}

// Fold folds pending batches once, up to the row budget. It is no error when nothing is pending.
func (s Store) Fold(ctx context.Context) (Folded, error) {
	var done Folded
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		done = Folded{}
		lane, ok, err := s.takeLane(ctx, tx)
		if err != nil || !ok {
			done.NoLane = !ok
			return err
		}
		batches, err := s.claim(ctx, tx, lane)
		if err != nil || len(batches) == 0 {
			return err
		}
		deltas, rows, err := read(ctx, tx, batches)
		if err != nil {
			return err
		}
		if err := Stats.Add(ctx, tx, lane, deltas); err != nil {
			return err
		}
		done = Folded{Batches: len(batches), Rows: rows, Deltas: deltas}
		return markAggregated(ctx, tx, batches)
	})
	if err != nil {
		return Folded{}, postgres.Classify(fmt.Errorf("fold: %w", err))
	}
	return done, nil
}

// takeLane takes the first free lane until the end of the transaction. Only the holder of a lane writes its rollup rows.
func (s Store) takeLane(ctx context.Context, tx pgx.Tx) (lane int16, ok bool, err error) {
	const query = `
		SELECT lane::smallint
		FROM generate_series(0, $1::int - 1) AS lane
		WHERE pg_try_advisory_xact_lock($2::int, $3::int + lane)
		LIMIT 1`
	rows, err := tx.Query(ctx, query, s.Lanes, locks.Lane(0).Class(), locks.Lane(0).ID())
	if err != nil {
		return 0, false, fmt.Errorf("take a lane: %w", err)
	}
	lanes, err := pgx.CollectRows(rows, pgx.RowTo[int16])
	if err != nil {
		return 0, false, fmt.Errorf("take a lane: %w", err)
	}
	if len(lanes) == 0 {
		return 0, false, nil
	}
	return lanes[0], true, nil
}

// markAggregated turns pending batches into receipts.
func markAggregated(ctx context.Context, tx pgx.Tx, batches []batch) error {
	ids := make([][16]byte, len(batches))
	for i, b := range batches {
		ids[i] = b.id
	}
	// Not now(), which is the start of this transaction: a batch may have been committed after that.
	tag, err := tx.Exec(ctx, `UPDATE ingest.batches SET aggregated_at = clock_timestamp() WHERE id = ANY($1) AND aggregated_at IS NULL`, ids)
	if err != nil {
		return fmt.Errorf("mark batches: %w", err)
	}
	if tag.RowsAffected() != int64(len(ids)) { // a defect, because they are locked: rather roll back than count twice
		return fmt.Errorf("mark batches: %d of %d were still pending", tag.RowsAffected(), len(ids))
	}
	return nil
}
