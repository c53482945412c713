package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// watermarkAge is how long a watermark is used before it is determined again.
	watermarkAge = 50 * time.Millisecond
	// drainPause is the time between two looks at the writers that are being waited for, and drainTimeout bounds the wait. A
	// commit takes a few milliseconds.
	drainPause   = 2 * time.Millisecond
	drainTimeout = 50 * time.Millisecond
	// stuckPause is how long the old watermark is used when a writer took longer than drainTimeout.
	stuckPause = time.Second
)

// watermark determines the instant before which every received batch is committed.
//
// A batch gets its received_at before its transaction commits. So a snapshot may miss a batch that appears later with an
// earlier received_at, and "now" is not a valid watermark while somebody writes. But a writer reads the clock for
// received_at while it holds its lock on ingest.batches, and keeps the lock until the batch is committed and visible.
// Therefore, for any time t:
//
//   - A writer that does not hold the lock at a look after t reads a clock later than t.
//   - When all writers that held the lock at that look are gone, every batch received before t is visible to new snapshots.
//
// The watermark is such a t, determined before the snapshot is taken. This needs no privileges and costs writers nothing.
// It must be asked of the primary, because a standby does not have the writers' locks.
type watermark struct {
	pool *pgxpool.Pool
	turn chan struct{} // holds one value while a request determines the watermark; it guards the fields below

	at   time.Time // zero before the first look
	next time.Time // when to determine it again
}

// get returns the watermark for snapshots that are taken after the call.
func (w *watermark) get(ctx context.Context) (time.Time, error) {
	select { // not a mutex: when Postgres does not answer, each request waits only until its own deadline
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
	if time.Now().Before(w.next) {
		return w.at, nil
	}
	at, known, started, err := w.look(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if w.at.IsZero() {
		w.at = started // no writer is older than the server
	}
	deadline := time.Now().Add(drainTimeout)
	for writers := known; len(writers) > 0; {
		if time.Now().After(deadline) {
			w.next = time.Now().Add(stuckPause)
			return w.at, nil
		}
		select {
		case <-time.After(drainPause):
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
		_, present, _, err := w.look(ctx)
		if err != nil {
			return time.Time{}, err
		}
		writers = slices.DeleteFunc(writers, func(one string) bool { return !slices.Contains(present, one) })
	}
	w.at, w.next = at, time.Now().Add(watermarkAge)
	return w.at, nil
}

// look returns the time, the transactions that hold a writer's lock on ingest.batches just after it, and the start of the
// server. The transactions include folds and the pruning of receipts, which end soon, too.
func (w *watermark) look(ctx context.Context) (at time.Time, writers []string, started time.Time, err error) {
	const query = `
		SELECT statement_timestamp(), pg_postmaster_start_time(),
		       coalesce(array_agg(DISTINCT virtualtransaction), '{}')
		FROM pg_locks
		WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted
		  AND relation = 'ingest.batches'::regclass
		  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	err = w.pool.QueryRow(ctx, query).Scan(&at, &started, &writers)
	if err != nil {
		return at, nil, started, fmt.Errorf("look for writers: %w", err)
	}
	return at, writers, started, nil
}
