package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// pruneChunk bounds the rows that one statement deletes, so that none holds locks for long.
const pruneChunk = 10_000

// Backlog is what waits to be folded.
type Backlog struct {
	Batches, Rows int64
	Oldest        time.Duration // age of the oldest; 0 when nothing pends
}

// Pending returns the backlog. It reads the partial index of pending batches only.
func (s Store) Pending(ctx context.Context) (Backlog, error) {
	const query = `
		SELECT count(*), coalesce(sum(rows), 0)::bigint, coalesce(now() - min(received_at), interval '0')
		FROM ingest.batches
		WHERE aggregated_at IS NULL`
	var b Backlog
	if err := s.Pool.QueryRow(ctx, query).Scan(&b.Batches, &b.Rows, &b.Oldest); err != nil {
		return Backlog{}, postgres.Classify(fmt.Errorf("read the backlog: %w", err))
	}
	return b, nil
}

// Work returns how many folds the pending batches need that were committed longer than grace ago, if each fold claims all
// it may. Like Pending it reads the partial index.
func (s Store) Work(ctx context.Context, grace time.Duration) (folds int, err error) {
	const query = `
		SELECT count(*), coalesce(sum(rows), 0)::bigint
		FROM ingest.batches
		WHERE aggregated_at IS NULL AND received_at <= now() - $1::interval`
	var batches, rows int64
	if err := s.Pool.QueryRow(ctx, query, grace).Scan(&batches, &rows); err != nil {
		return 0, postgres.Classify(fmt.Errorf("measure the work: %w", err))
	}
	perFold := int64(s.Rows)
	return int(max((batches+FoldBatches-1)/FoldBatches, (rows+perFold-1)/perFold)), nil
}

// EnsurePartitions makes the partitions of a range of days, as far as they are missing, and returns how many it made.
func (s Store) EnsurePartitions(ctx context.Context, from, to time.Time) (int, error) {
	var made int
	if err := s.Pool.QueryRow(ctx, `SELECT ingest.ensure_partitions($1, $2)`, from, to).Scan(&made); err != nil {
		return 0, postgres.Classify(fmt.Errorf("ensure partitions: %w", err))
	}
	return made, nil
}

// PruneBatches deletes receipts older than age. What pends is never deleted.
func (s Store) PruneBatches(ctx context.Context, age time.Duration) (int64, error) {
	return s.prune(ctx, age, `
		DELETE FROM ingest.batches
		WHERE id IN (
			SELECT id FROM ingest.batches
			WHERE aggregated_at IS NOT NULL AND received_at < now() - $1::interval
			LIMIT $2)`)
}

// PruneIdempotencyKeys deletes the answers to idempotency keys older than age.
func (s Store) PruneIdempotencyKeys(ctx context.Context, age time.Duration) (int64, error) {
	return s.prune(ctx, age, `
		DELETE FROM ingest.idempotency_keys
		WHERE (principal, key) IN (
			SELECT principal, key FROM ingest.idempotency_keys
			WHERE created_at < now() - $1::interval
			LIMIT $2)`)
}

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
