package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

const (
	// manyBatches is the number of pending batches from which on the backlog is cached.
	manyBatches = 10_000
	// backlogTTL is how long a cached backlog is used.
	backlogTTL = 500 * time.Millisecond
)

// backlog caches the freshness while many batches are pending, because summing them up for every answer would cost more
// than the answer itself.
type backlog struct {
	mu    sync.Mutex
	found report.Meta
	until time.Time // when to read again
}

// recent returns the cached backlog unless it has expired. Its CompleteUntil also holds for numbers that are read later,
// because rows that were counted stay counted.
func (b *backlog) recent() (report.Meta, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.found, time.Now().Before(b.until)
}

func (b *backlog) keep(m report.Meta, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.found, b.until = m, until
}

// readMeta returns the freshness of a snapshot. It must run the first query of tx, after watermark was read: then every batch
// received before the watermark is visible to the snapshot, so its rows are in the numbers or it is pending.
func (s *Store) readMeta(ctx context.Context, tx pgx.Tx, watermark time.Time) (report.Meta, error) {
	if m, ok := s.backlog.recent(); ok {
		if err := tx.QueryRow(ctx, `SELECT transaction_timestamp()`).Scan(&m.AsOf); err != nil {
			return report.Meta{}, fmt.Errorf("freshness: %w", err)
		}
		m.AsOf = m.AsOf.UTC()
		return m, nil
	}
	begin := time.Now()
	m, batches, err := scanPending(ctx, tx, watermark)
	if err != nil {
		return report.Meta{}, fmt.Errorf("freshness: %w", err)
	}
	if batches >= manyBatches {
		s.backlog.keep(m, begin.Add(backlogTTL))
	}
	return m, nil
}

// pendingQuery reads only the partial indexes of pending and failed batches, so the number of folded ones does not matter.
// Failed batches do not hold complete_until back: a single damaged batch would make all later numbers look incomplete until
// somebody repairs it. They are counted beside it instead.
const pendingQuery = `
	SELECT transaction_timestamp(), least(min(received_at), $1), coalesce(sum(rows), 0)::bigint, count(*),
	       (SELECT coalesce(sum(rows), 0)::bigint FROM ingest.batches WHERE aggregated_at IS NULL AND failed_at IS NOT NULL)
	FROM ingest.batches
	WHERE aggregated_at IS NULL AND failed_at IS NULL`

func scanPending(ctx context.Context, tx pgx.Tx, watermark time.Time) (m report.Meta, batches int64, err error) {
	err = tx.QueryRow(ctx, pendingQuery, watermark).Scan(&m.AsOf, &m.CompleteUntil, &m.PendingEvents, &batches, &m.FailedEvents)
	m.AsOf, m.CompleteUntil = m.AsOf.UTC(), m.CompleteUntil.UTC()
	return m, batches, err
}
