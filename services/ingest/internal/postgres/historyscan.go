package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/history"
)

// A page is read from one index. Each has the time of an event after what it selects by: (user_n, ts), (project, product, ts), or
// the primary key (project, ts, id), in this order of preference. What the index does not select by is filtered.
const (
	// maxScanned is how many events a page examines at most, and maxScannedWeeks in how many weeks.
	maxScanned      = 5000
	maxScannedWeeks = 400
	// maxWindow is how many partitions one statement touches at most. It locks each of them and its indexes.
	maxWindow = 32
	// slack is how many events beyond a page are read to see which of them have the same time.
	slack = 64
)

// eventFilter selects events by the numbers of the dictionaries. Zero values do not filter.
type eventFilter struct {
	project int16
	users   []int64
	product int32
	name    int16
	within  history.Range
}

// selective reports whether every event of the index that is read passes the filter.
func (f eventFilter) selective() bool { return f.name == 0 && (len(f.users) == 0 || f.product == 0) }

// byKey reports whether events are read by the primary key.
func (f eventFilter) byKey() bool { return len(f.users) == 0 && f.product == 0 }

// rawEvent is an event in numbers. Of those that do not pass the filter, only ts, id and matches are set.
type rawEvent struct {
	ts         time.Time
	id         uuid.UUID
	matches    bool
	user       int64
	product    *int32
	name       int16
	batch      int64
	properties []byte
	dense      bool
}

// scan reads events, newest first, until it has enough or has examined as many as one request may.
type scan struct {
	filter  eventFilter
	limit   int
	found   []rawEvent // one more than limit if there are more
	scanned int
	at      history.Position // everything before it was examined
	more    bool             // it ends here, but there may be something after at
}

// examine adds events, which are complete up to at, to what was found.
func (s *scan) examine(events []rawEvent, at history.Position) {
	s.scanned += len(events)
	s.at = at
	for _, e := range events {
		if e.matches {
			s.found = append(s.found, e)
		}
		if len(s.found) > s.limit {
			s.more = true
			return
		}
	}
	s.more = s.more || s.scanned >= maxScanned
}

// rows is how many events the next statement reads at most.
func (s *scan) rows() int {
	if s.filter.selective() {
		return s.limit + 1 - len(s.found) + slack
	}
	return maxScanned - s.scanned + slack
}

// scanEvents reads events before a position.
func (s *Store) scanEvents(ctx context.Context, f eventFilter, after *history.Position, limit int) (*scan, error) {
	sc := &scan{filter: f, limit: limit, at: history.Position{TS: farFuture}}
	if after != nil {
		sc.at = after.Of(history.Events)
	}
	if sc.at.Dense {
		if err := s.scanInstant(ctx, sc, sc.at.TS, &sc.at.ID); err != nil || sc.more {
			return sc, err
		}
	}
	weeks, err := s.partitionWeeks(ctx, f.within, sc.at.TS.Add(time.Microsecond)) // a position can be within a time
	if err != nil {
		return nil, err
	}
	size, read := 2, 0
	for len(weeks) > 0 && read < maxScannedWeeks {
		window := weeks[:min(size, len(weeks))]
		// The weeks are newest first. Those between two partitions have no rows.
		within := history.Range{From: window[len(window)-1], To: window[0].AddDate(0, 0, 7)}
		if err := s.scanWindow(ctx, sc, within); err != nil || sc.more {
			return sc, err
		}
		weeks, read, size = weeks[len(window):], read+len(window), min(4*size, maxWindow)
	}
	sc.more = len(weeks) > 0
	if sc.more {
		sc.at = history.Position{TS: weeks[0].AddDate(0, 0, 7)}
	}
	return sc, nil
}

// farFuture is after every event, and one that Postgres can express.
var farFuture = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// scanWindow examines the events of a range until it is done.
func (s *Store) scanWindow(ctx context.Context, sc *scan, within history.Range) error {
	for {
		rows := sc.rows()
		events, err := s.queryEvents(ctx, windowQuery(sc.filter, within, sc.at, rows))
		if err != nil {
			return err
		}
		complete, at, dense := completeUntil(events, rows, sc.filter.byKey())
		if at == nil { // nothing is left in the window
			sc.examine(events, history.Position{TS: within.From})
			return nil
		}
		if sc.examine(events[:complete], *at); sc.more {
			return nil
		}
		if dense {
			if err := s.scanInstant(ctx, sc, events[0].ts, nil); err != nil || sc.more {
				return err
			}
		}
	}
}

// completeUntil returns how many of the events that a statement returned are a complete part of the list, and where that ends; nil if
// the statement returned all there are. An index without the id returns events of one time in any order, so the last time is
// incomplete. It is dense if no other was returned.
func completeUntil(events []rawEvent, rows int, byKey bool) (complete int, at *history.Position, dense bool) {
	if len(events) < rows {
		slices.SortFunc(events, newestFirst)
		return len(events), nil, false
	}
	last := events[len(events)-1].ts
	if byKey {
		return len(events), &history.Position{TS: last, ID: events[len(events)-1].id}, false
	}
	complete = slices.IndexFunc(events, func(e rawEvent) bool { return e.ts.Equal(last) })
	slices.SortFunc(events[:complete], newestFirst)
	return complete, &history.Position{TS: last.Add(time.Microsecond)}, complete == 0
}

func newestFirst(a, b rawEvent) int {
	return history.Position{TS: a.ts, ID: a.id}.Compare(history.Position{TS: b.ts, ID: b.id})
}

// scanInstant examines the events of one time by the primary key: those with an id before the given one, or all.
func (s *Store) scanInstant(ctx context.Context, sc *scan, ts time.Time, before *uuid.UUID) error {
	rows := maxScanned - sc.scanned + slack
	events, err := s.queryEvents(ctx, instantQuery(sc.filter, ts, before, rows))
	if err != nil {
		return err
	}
	for i := range events {
		events[i].dense = true
	}
	if len(events) < rows {
		sc.examine(events, history.Position{TS: ts})
		return nil
	}
	sc.examine(events, history.Position{TS: ts, ID: events[len(events)-1].id, Dense: true})
	sc.more = true
	return nil
}

// queryEvents reads events in the order of an index.
func (s *Store) queryEvents(ctx context.Context, q query) ([]rawEvent, error) {
	return inOrder(ctx, s, q, func(row pgx.CollectableRow) (e rawEvent, err error) {
		err = row.Scan(&e.ts, &e.id, &e.matches, &e.user, &e.product, &e.name, &e.batch, &e.properties)
		e.ts = e.ts.UTC()
		return e, err
	})
}

// orderedPlans makes Postgres read an index in its order up to the limit. A bitmap or a sort would read everything that an index
// selects first.
const orderedPlans = `SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off`

// inOrder runs a statement with its parameters as literals. Then Postgres plans it for these times, and neither opens nor locks
// the partitions of other weeks.
func inOrder[T any](ctx context.Context, s *Store, q query, scan pgx.RowToFunc[T]) (found []T, err error) {
	err = postgres.InTx(ctx, s.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, orderedPlans, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, q.text, append([]any{pgx.QueryExecModeSimpleProtocol}, q.args...)...)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, scan)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read raw rows: %w", err)
	}
	return found, nil
}
