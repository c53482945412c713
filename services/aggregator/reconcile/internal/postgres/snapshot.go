// Package postgres holds the SQL of a reconciliation: it recounts the rollups from the raw rows and reads what is stored.
// It shares no code with the folding, because it is what the folding is checked by.
package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// Snapshot is a consistent state of the database. Each is a session of its own, to be used by one goroutine at a time.
type Snapshot struct{ tx pgx.Tx }

// Read calls fn with at most n snapshots of the same state, as many as the pool has connections. Writers are not blocked by
// them.
func Read(ctx context.Context, pool *pgxpool.Pool, n int, fn func([]Snapshot) error) error {
	return open(ctx, pool, min(n, int(pool.Config().MaxConns)), nil, "", fn)
}

// open opens the snapshots that are missing, each in a transaction around those of the next, and calls fn.
func open(ctx context.Context, pool *pgxpool.Pool, n int, opened []Snapshot, exported string, fn func([]Snapshot) error) error {
	if len(opened) == n {
		return fn(opened)
	}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return platformpostgres.InTx(ctx, pool, options, func(tx pgx.Tx) error {
		if exported != "" {
			if _, err := tx.Exec(ctx, `SET TRANSACTION SNAPSHOT '`+exported+`'`); err != nil {
				return fmt.Errorf("share the snapshot: %w", err)
			}
		}
		// One statement sorts and joins many rows. That takes longer than a request may, and more memory. Compiling takes longer
		// than it saves, and a plan for any span would be one for all partitions. The snapshot may be idle while rows are compared,
		// but not for ever: retention and migrations wait for it.
		const settings = `
			SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = '10min'; SET LOCAL work_mem = '64MB';
			SET LOCAL jit = off; SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL max_parallel_workers_per_gather = 0`
		if _, err := tx.Exec(ctx, settings); err != nil {
			return fmt.Errorf("prepare the snapshot: %w", err)
		}
		if exported == "" && n > 1 {
			if err := tx.QueryRow(ctx, `SELECT pg_export_snapshot()`).Scan(&exported); err != nil {
				return fmt.Errorf("share the snapshot: %w", err)
			}
		}
		return open(ctx, pool, n, append(opened, Snapshot{tx: tx}), exported, fn)
	})
}

// PendingRows returns the number of rows in pending batches of the project with a slug, or of all projects without one.
func (s Snapshot) PendingRows(ctx context.Context, slug string) (rows int64, err error) {
	const query = `
		SELECT coalesce(sum(rows), 0)::bigint FROM ingest.unfolded_batches
		WHERE NOT failed AND ($1 = '' OR project = (SELECT id FROM auth.projects WHERE slug = $1))`
	if err := s.tx.QueryRow(ctx, query, slug).Scan(&rows); err != nil {
		return 0, fmt.Errorf("count pending rows: %w", err)
	}
	return rows, nil
}

// Erasures counts the erasures that run: those that have removed users from the dictionary and are not done.
func (s Snapshot) Erasures(ctx context.Context, slug string) (running int, err error) {
	const query = `
		SELECT count(*) FROM ingest.erasures
		WHERE state = 'running' AND ($1 = '' OR project = (SELECT id FROM auth.projects WHERE slug = $1))`
	if err := s.tx.QueryRow(ctx, query, slug).Scan(&running); err != nil {
		return 0, fmt.Errorf("count erasures: %w", err)
	}
	return running, nil
}

// FailedBatch is a batch that the aggregator could not fold and set aside.
type FailedBatch struct {
	ID      int64
	Project string // its slug
	Rows    int64
	Failure string // why
}

// FailedBatches returns the batches that are set aside, oldest first, of the project with a slug or of all projects.
func (s Snapshot) FailedBatches(ctx context.Context, slug string) ([]FailedBatch, error) {
	const query = `
		SELECT b.id, coalesce(p.slug, b.project::text), b.rows, b.failure
		FROM ingest.batches AS b LEFT JOIN auth.projects AS p ON p.id = b.project
		WHERE b.aggregated_at IS NULL AND b.failed_at IS NOT NULL AND ($1 = '' OR p.slug = $1)
		ORDER BY b.id`
	rows, _ := s.tx.Query(ctx, query, slug) // CollectRows returns its error
	failed, err := pgx.CollectRows(rows, pgx.RowToStructByPos[FailedBatch])
	if err != nil {
		return nil, fmt.Errorf("list failed batches: %w", err)
	}
	return failed, nil
}
