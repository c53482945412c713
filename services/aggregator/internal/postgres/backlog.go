package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/stats"
)

// Backlog measures the pending batches.
type Backlog struct {
	Batches, Rows int64
	Oldest        time.Duration // age of the oldest; 0 when none is pending
	// FailedBatches counts the batches that are set aside, and FailedRows their rows. They are not pending.
	FailedBatches, FailedRows int64
	// UnmergedSegments counts the segments of rollups that folds made and no merge has added up yet. They are in all numbers.
	UnmergedSegments int64
	// Names is how many names of events (that have no counter of their own) the project with the most of them has.
	Names int64
}

// Pending returns the backlog. It reads only the partial indexes of pending and of failed batches and of unmerged segments, and
// the last name of each project.
func (s Store) Pending(ctx context.Context) (Backlog, error) {
	const query = `
		SELECT pending.*, failed.*,
			(SELECT count(*) FROM stats.product_segments WHERE NOT merged) + (SELECT count(*) FROM stats.product_revenue_segments WHERE NOT merged),
			coalesce((SELECT max((SELECT max(n) FROM ingest.names AS e WHERE e.project = p.id) - $1::integer + 1) FROM auth.projects AS p), 0)
		FROM (
			SELECT count(*), coalesce(sum(rows), 0)::bigint, coalesce(now() - min(received_at), interval '0')
			FROM ingest.batches
			WHERE ` + isPending + `
		) AS pending, (
			SELECT count(*), coalesce(sum(rows), 0)::bigint
			FROM ingest.batches
			WHERE aggregated_at IS NULL AND failed_at IS NOT NULL
		) AS failed`
	var b Backlog
	if err := s.Pool.QueryRow(ctx, query, stats.FirstName).Scan(&b.Batches, &b.Rows, &b.Oldest, &b.FailedBatches, &b.FailedRows, &b.UnmergedSegments, &b.Names); err != nil {
		return Backlog{}, postgres.Classify(fmt.Errorf("read the backlog: %w", err))
	}
	return b, nil
}

// Reconciled sums up the newest reconciliation of all days of each project that has one. Those of some days do not count: they say
// nothing about the others.
type Reconciled struct {
	Oldest      time.Time // when the project that was recounted longest ago was; zero if none was
	Differences int64
}

// Reconciled reads the results that package reconcile has recorded.
func (s Store) Reconciled(ctx context.Context) (r Reconciled, err error) {
	const query = `
		SELECT coalesce(min(finished_at), '0001-01-01Z'), coalesce(sum(differences), 0)::bigint
		FROM auth.projects AS p, LATERAL (
			SELECT finished_at, differences FROM stats.reconciles
			WHERE project = p.id AND from_day IS NULL AND to_day IS NULL
			ORDER BY id DESC LIMIT 1
		) AS newest`
	if err := s.Pool.QueryRow(ctx, query).Scan(&r.Oldest, &r.Differences); err != nil {
		return Reconciled{}, postgres.Classify(fmt.Errorf("read the results of reconcile: %w", err))
	}
	return r, nil
}

// Erasures says which erasures of users are not done.
type Erasures struct {
	Open   int64
	Oldest time.Duration // since it was asked for; 0 if none is open
}

// Erasures reads the index of open erasures.
func (s Store) Erasures(ctx context.Context) (e Erasures, err error) {
	const query = `SELECT count(*), coalesce(now() - min(requested_at), interval '0') FROM ingest.erasures WHERE state <> 'done'`
	if err := s.Pool.QueryRow(ctx, query).Scan(&e.Open, &e.Oldest); err != nil {
		return Erasures{}, postgres.Classify(fmt.Errorf("read the open erasures: %w", err))
	}
	return e, nil
}

// Work returns how many folds the pending batches need that were committed longer than grace ago, if each fold claims all
// it may. Like Pending it reads the partial index.
func (s Store) Work(ctx context.Context, grace time.Duration) (folds int, err error) {
	const query = `
		SELECT count(*), coalesce(sum(rows), 0)::bigint
		FROM ingest.batches
		WHERE ` + isPending + ` AND received_at <= now() - $1::interval`
	var batches, rows int64
	if err := s.Pool.QueryRow(ctx, query, grace).Scan(&batches, &rows); err != nil {
		return 0, postgres.Classify(fmt.Errorf("measure the work: %w", err))
	}
	perFold := int64(s.Rows)
	return int(max((batches+FoldBatches-1)/FoldBatches, (rows+perFold-1)/perFold)), nil
}
