package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// watermarkAge is how old the watermark may be before it is looked for again.
	watermarkAge = 50 * time.Millisecond
	// drainPause is how often is looked whether the writers of a moment are gone, and drainTimeout how long. A commit takes
	// a few milliseconds.
	drainPause   = 2 * time.Millisecond
	drainTimeout = 50 * time.Millisecond
	// stuckPause is how long nobody looks again after a writer took longer than that.
	stuckPause = time.Second
)

// watermark is the latest time of which is known that every batch received before it is committed.
//
// What a snapshot does not see may still be committed later with an earlier received_at, because that time is taken before
// the commit. So "now" is no answer to "up to when are the numbers complete" while somebody writes. But a writer reads the
// clock for received_at while it holds its lock on ingest.batches, which it keeps until it is committed and visible.
// Therefore, of a time t: when a look at the locks after t shows no writer, whoever writes later also reads a later clock;
// and when those that it shows are gone, all that was received before t is visible to new snapshots. That is asked here,
// before a snapshot is taken. It needs no rights, costs writers nothing, and has to be asked of the primary.
type watermark struct {
	pool *pgxpool.Pool
	turn chan struct{} // holds one value while somebody looks; the fields below are theirs

	at   time.Time // zero before the first look
	next time.Time // when to look again
}

// time returns the watermark for snapshots that are taken from now on.
func (w *watermark) get(ctx context.Context) (time.Time, error) {
	select { // not a mutex: while Postgres is silent nobody is to wait for longer than his own request may take
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
		w.at = started // nobody can write for longer than the server runs
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

// look returns the time, the transactions that write batches after that time, and when the server was started. Folds and
// the pruning of receipts are among them; they end as well.
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
