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
	// manyBatches is from how many pending batches on adding them up costs so much that its result is used again.
	manyBatches = 10_000
	// reuse is how long.
	reuse = 500 * time.Millisecond
)

// backlog keeps what was found when very much pended: reading it again for every answer would cost more than the answer.
type backlog struct {
	mu    sync.Mutex
	found report.Meta
	until time.Time // when to read again
}

// recent returns a backlog that may stand in for a new one. Its CompleteUntil is as true of later numbers, because what is
// counted stays counted.
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

// readMeta comes first in a snapshot, and watermark was found before it: everything received before that is visible here,
// so it is in the numbers unless it is among what pends.
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
		s.backlog.keep(m, begin.Add(reuse))
	}
	return m, nil
}

// pendingQuery reads nothing but the partial index of pending batches, however many are folded.
const pendingQuery = `
	SELECT transaction_timestamp(), least(min(received_at), $1), coalesce(sum(rows), 0)::bigint, count(*)
	FROM ingest.batches
	WHERE aggregated_at IS NULL`

func scanPending(ctx context.Context, tx pgx.Tx, watermark time.Time) (m report.Meta, batches int64, err error) {
	err = tx.QueryRow(ctx, pendingQuery, watermark).Scan(&m.AsOf, &m.CompleteUntil, &m.PendingEvents, &batches)
	m.AsOf, m.CompleteUntil = m.AsOf.UTC(), m.CompleteUntil.UTC()
	return m, batches, err
}
