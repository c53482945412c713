// Package postgres holds the SQL of a reconciliation: it recounts the rollups from the raw rows and reads what is stored.
// It shares no code with the folding, because it is what the folding is checked by.
package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// Snapshot is one consistent state of the database.
type Snapshot struct{ tx pgx.Tx }

// Read calls fn with a snapshot. Writers are not blocked by it.
func Read(ctx context.Context, pool *pgxpool.Pool, fn func(Snapshot) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return platformpostgres.InTx(ctx, pool, options, func(tx pgx.Tx) error {
		// One statement sorts and joins many rows. That takes longer than a request may, and more memory. Compiling takes longer
		// than it saves, and a plan for any span would be one for all partitions. The snapshot may be idle while rows are compared,
		// but not for ever: retention and migrations wait for it.
		const settings = `
			SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = '10min'; SET LOCAL work_mem = '64MB';
			SET LOCAL jit = off; SET LOCAL plan_cache_mode = force_custom_plan`
		if _, err := tx.Exec(ctx, settings); err != nil {
			return fmt.Errorf("prepare the snapshot: %w", err)
		}
		return fn(Snapshot{tx: tx})
	})
}

// PendingRows returns the number of rows in pending batches.
func (s Snapshot) PendingRows(ctx context.Context) (rows int64, err error) {
	const query = `SELECT coalesce(sum(rows), 0)::bigint FROM ingest.unfolded_batches WHERE NOT failed`
	if err := s.tx.QueryRow(ctx, query).Scan(&rows); err != nil {
		return 0, fmt.Errorf("count pending rows: %w", err)
	}
	return rows, nil
}

// FailedBatch is a batch that the aggregator could not fold and set aside.
type FailedBatch struct {
	ID      uuid.UUID
	Rows    int64
	Failure string // why
}

// FailedBatches returns the batches that are set aside, oldest first.
func (s Snapshot) FailedBatches(ctx context.Context) ([]FailedBatch, error) {
	const query = `SELECT id, rows, failure FROM ingest.batches WHERE aggregated_at IS NULL AND failed_at IS NOT NULL ORDER BY id`
	rows, _ := s.tx.Query(ctx, query) // CollectRows returns its error
	failed, err := pgx.CollectRows(rows, pgx.RowToStructByPos[FailedBatch])
	if err != nil {
		return nil, fmt.Errorf("list failed batches: %w", err)
	}
	return failed, nil
}

// Day is a day that has raw rows or rollups or both.
type Day struct {
	Day time.Time
	Raw bool // all of its raw rows still exist
	// Rows is how many the rollups say that it has. It may be wrong: use it only to estimate.
	Rows int64
}

// Span is a range of whole UTC days.
type Span struct {
	From time.Time // inclusive
	To   time.Time // exclusive
}

// Days lists the days of a range, oldest first; nil means that the range has no bound there.
func (s Snapshot) Days(ctx context.Context, from, to *time.Time) ([]Day, error) {
	const query = `
		WITH raw AS (
			SELECT day FROM ingest.whole_days
		), stored AS (
			SELECT day FROM stats.daily_stats
			UNION SELECT day FROM stats.product_daily_stats
			UNION SELECT day FROM stats.user_daily_stats
			UNION SELECT day FROM stats.product_type_daily_stats
			UNION SELECT day FROM stats.type_daily_stats
			UNION SELECT day FROM stats.product_daily_users
			UNION SELECT day FROM stats.daily_users
		)
		SELECT day, raw.day IS NOT NULL, coalesce(total.events + total.purchases, 0)
		FROM raw FULL JOIN stored USING (day) LEFT JOIN stats.daily AS total USING (day)
		WHERE ($1::date IS NULL OR day >= $1) AND ($2::date IS NULL OR day <= $2)
		ORDER BY day`
	rows, err := s.tx.Query(ctx, query, from, to)
	if err != nil {
		return nil, fmt.Errorf("list days: %w", err)
	}
	days, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Day])
	if err != nil {
		return nil, fmt.Errorf("list days: %w", err)
	}
	return days, nil
}
