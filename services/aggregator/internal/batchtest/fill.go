package batchtest

import (
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/internal/stats"
)

// fillBatch is how many events a batch of Fill has.
const fillBatch = 1000

// Fill commits at least n pending events of many products and users, spread over the writer's days in the order of
// time, in batches of 1,000.
func (w *Writer) Fill(n, products, users int) (events int) {
	w.tb.Helper()
	numbers, people := w.products(products), w.users(users)
	names := []stats.Name{stats.View, stats.View, stats.View, stats.View, stats.Click, stats.Click, stats.AddToCart, stats.FirstName}
	// Few products and users get most rows, as in production.
	index := func(n int) int { return int(math.Pow(w.random.Float64(), 2) * float64(n)) }
	batches := (n + fillBatch*w.Days - 1) / (fillBatch * w.Days)
	for day := range w.Days {
		first := w.First.AddDate(0, 0, day)
		step := 24 * time.Hour / time.Duration(batches*fillBatch)
		w.many(batches, fillBatch, func(n int) facts.Event {
			return facts.Event{
				TS: first.Add(time.Duration(n) * step).Add(time.Duration(w.random.Int64N(int64(step)))).Truncate(time.Microsecond), User: people[index(users)],
				Product: numbers[index(products)], Name: names[w.random.IntN(len(names))],
			}
		})
		events += batches * fillBatch
	}
	w.exec(`
		UPDATE ingest.users AS u SET first_seen = least(u.first_seen, seen.ts)
		FROM (SELECT user_n, min(ts) AS ts FROM ingest.events WHERE project = $1 GROUP BY user_n) AS seen
		WHERE u.project = $1 AND u.n = seen.user_n`, w.Project)
	return events
}

// Backlog commits many batches of events at once, each of rows rows, on the first day. It takes the few products and users in
// turn, so every batch writes the same rollup rows.
func (w *Writer) Backlog(batches, rows, products, users int) {
	w.tb.Helper()
	step := 24 * time.Hour / time.Duration(batches*rows+1)
	w.many(batches, rows, func(n int) facts.Event {
		return facts.Event{
			TS: w.First.Add(time.Duration(n) * step).Truncate(time.Microsecond), User: w.Users[n%users], Product: w.Products[n/7%products], Name: stats.View,
		}
	})
	w.exec(`
		UPDATE ingest.users AS u SET first_seen = least(u.first_seen, seen.ts)
		FROM (SELECT user_n, min(ts) AS ts FROM ingest.events WHERE project = $1 GROUP BY user_n) AS seen
		WHERE u.project = $1 AND u.n = seen.user_n`, w.Project)
	w.exec(`ANALYZE ingest.batches, ingest.events`)
}

// many commits batches of rows events in one transaction, with ids in ascending order. event returns the nth one.
func (w *Writer) many(batches, rows int, event func(n int) facts.Event) {
	w.tb.Helper()
	first := w.newID()
	w.exec(`SELECT setval('ingest.batch_ids', $1)`, first+int64(batches/1000)*1000)
	var receipts [][]any
	var current *eventBatch
	n := 0
	next := func() ([]any, error) { //nolint:unparam // the type is that of CopyFromFunc
		if n == batches*rows {
			return nil, nil
		}
		if n%rows == 0 {
			current = newEventBatch(first + int64(n/rows))
		}
		current.rows = current.rows[:0] // the row is copied at once
		current.add(w.Project, event(n))
		if n++; n%rows == 0 {
			from, to := span(current.times)
			receipts = append(receipts, []any{current.id, w.Project, protocol.KindEvents, rows, from, to, current.facts})
		}
		return current.rows[0], nil
	}
	w.inTx(func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
			return err
		}
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{"ingest", "events"}, eventColumns, pgx.CopyFromFunc(next)); err != nil {
			return err
		}
		columns := []string{"id", "project", "kind", "rows", "min_ts", "max_ts", "facts"}
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"ingest", "batches"}, columns, pgx.CopyFromRows(receipts))
		return err
	})
}

// span returns the earliest and the latest of times.
func span(times []time.Time) (from, to time.Time) {
	from, to = times[0], times[0]
	for _, ts := range times {
		if ts.Before(from) {
			from = ts
		}
		if ts.After(to) {
			to = ts
		}
	}
	return from, to
}
