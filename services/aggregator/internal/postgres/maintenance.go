package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// pruneChunk bounds the rows that one statement deletes, and with them how long it holds locks.
const pruneChunk = 10_000

// EnsurePartitions creates the missing partitions of an inclusive range of days and returns how many it created.
func (s Store) EnsurePartitions(ctx context.Context, from, to time.Time) (int, error) {
	var made int
	if err := s.Pool.QueryRow(ctx, `SELECT ingest.ensure_partitions($1, $2)`, from, to).Scan(&made); err != nil {
		return 0, postgres.Classify(fmt.Errorf("ensure partitions: %w", err))
	}
	return made, nil
}

// PruneBatches deletes receipts older than age. Pending batches are never deleted.
func (s Store) PruneBatches(ctx context.Context, age time.Duration) (int64, error) {
	return s.prune(ctx, age, `
		DELETE FROM ingest.batches
		WHERE (project, id) IN (
			SELECT project, id FROM ingest.batches
			WHERE aggregated_at IS NOT NULL AND received_at < now() - $1::interval
			LIMIT $2)`)
}

// PruneIdempotencyKeys deletes idempotency keys older than age, with their answers.
func (s Store) PruneIdempotencyKeys(ctx context.Context, age time.Duration) (int64, error) {
	return s.prune(ctx, age, `
		DELETE FROM ingest.idempotency_keys
		WHERE (project, principal, key) IN (
			SELECT project, principal, key FROM ingest.idempotency_keys
			WHERE created_at < now() - $1::interval
			LIMIT $2)`)
}

// PruneTimes deletes the rows of ingest.event_times that say that an event has its own ts, once that time has come. Nobody looks for them
// then: ingest asks only for events whose ts is half an hour ahead or more.
func (s Store) PruneTimes(ctx context.Context) (int64, error) {
	return s.prune(ctx, 0, `
		DELETE FROM ingest.event_times
		WHERE ctid = ANY (ARRAY(SELECT ctid FROM ingest.event_times WHERE ts = ts_sent AND ts < now() - $1::interval LIMIT $2))`)
}

// prune runs a statement that deletes at most $2 rows older than $1 until it deletes fewer.
func (s Store) prune(ctx context.Context, age time.Duration, statement string) (int64, error) {
	var total int64
	for {
		tag, err := s.Pool.Exec(ctx, statement, age, pruneChunk)
		if err != nil {
			return total, postgres.Classify(fmt.Errorf("prune: %w", err))
		}
		total += tag.RowsAffected()
		if tag.RowsAffected() < pruneChunk {
			return total, nil
		}
	}
}
