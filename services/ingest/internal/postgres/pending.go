package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/folded"
)

var _ folded.Store = (*Store)(nil)

// Pending implements folded.Store. A batch without a receipt is folded: pending ones are never pruned. Two branches, because each
// can use its partial index.
func (s *Store) Pending(ctx context.Context, batches []int64) ([]int64, error) {
	const query = `
		SELECT id
		FROM ingest.batches
		WHERE id = ANY ($1::bigint[]) AND aggregated_at IS NULL AND failed_at IS NULL
		UNION ALL
		SELECT id
		FROM ingest.batches
		WHERE id = ANY ($1::bigint[]) AND aggregated_at IS NULL AND failed_at IS NOT NULL`
	rows, _ := s.pool.Query(ctx, query, batches) // CollectRows returns its error
	pending, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("ask for %d pending batches: %w", len(batches), err))
	}
	return pending, nil
}

// PendingOf returns the pending batches that hold the events with these identities, as far as those are stored. LIMIT
// keeps the planner to one look into the primary key of one partition for each of them, whatever it believes of sizes.
func (s *Store) PendingOf(ctx context.Context, events []event.Identity) ([]int64, error) {
	const query = `
		SELECT DISTINCT stored.batch
		FROM unnest($1::smallint[], $2::timestamptz[], $3::uuid[]) AS sent (project, ts, id)
		CROSS JOIN LATERAL (
			SELECT e.batch
			FROM ingest.events AS e
			WHERE e.project = sent.project AND e.ts = sent.ts AND e.id = sent.id
			LIMIT 1
		) AS stored
		WHERE EXISTS (SELECT FROM ingest.batches AS b WHERE b.project = sent.project AND b.id = stored.batch AND b.aggregated_at IS NULL)`
	projects, times, ids := make([]int16, len(events)), make([]time.Time, len(events)), make([][16]byte, len(events))
	for i, e := range events {
		projects[i], times[i], ids[i] = e.Project, e.TS, e.ID
	}
	rows, _ := s.pool.Query(ctx, query, projects, times, ids) // CollectRows returns its error
	pending, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("look up the batches of %d events: %w", len(events), err))
	}
	return pending, nil
}
