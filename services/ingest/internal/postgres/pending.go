package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/folded"
)

var _ folded.Store = (*Store)(nil)

// Pending implements folded.Store. A batch without a receipt is folded: pending ones are never pruned.
func (s *Store) Pending(ctx context.Context, batches []uuid.UUID) ([]uuid.UUID, error) {
	const query = `
		SELECT id
		FROM ingest.batches
		WHERE id = ANY ($1::uuid[]) AND aggregated_at IS NULL`
	rows, _ := s.pool.Query(ctx, query, batches) // CollectRows returns its error
	pending, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("ask for %d pending batches: %w", len(batches), err))
	}
	return pending, nil
}

// PendingOf returns the pending batches that hold the events with these identities, as far as those are stored. LIMIT
// keeps the planner to one look into the primary key of one partition for each of them, whatever it believes of sizes.
func (s *Store) PendingOf(ctx context.Context, events []event.Identity) ([]uuid.UUID, error) {
	const query = `
		SELECT DISTINCT stored.batch_id
		FROM unnest($1::uuid[], $2::timestamptz[], $3::bigint[]) AS sent (id, ts, owner)
		CROSS JOIN LATERAL (
			SELECT e.batch_id
			FROM ingest.events AS e
			WHERE e.owner = sent.owner AND e.ts = sent.ts AND e.id = sent.id
			LIMIT 1
		) AS stored
		WHERE EXISTS (SELECT FROM ingest.batches AS b WHERE b.id = stored.batch_id AND b.aggregated_at IS NULL)`
	ids, times, owners := make([]uuid.UUID, len(events)), make([]time.Time, len(events)), make([]int64, len(events))
	for i, e := range events {
		ids[i], times[i], owners[i] = e.ID, e.TS, e.Owner
	}
	rows, _ := s.pool.Query(ctx, query, ids, times, owners) // CollectRows returns its error
	pending, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("look up the batches of %d events: %w", len(events), err))
	}
	return pending, nil
}
