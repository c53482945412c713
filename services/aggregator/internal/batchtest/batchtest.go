// Package batchtest writes batches as the ingest service commits them, for tests of the code that folds them.
package batchtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// Writer commits random batches over a few products, users and days.
type Writer struct {
	tb       testing.TB
	Pool     *pgxpool.Pool
	random   *rand.Rand
	Products []uuid.UUID
	First    time.Time // the first of the days that rows are spread over
	Days     int
	Users    int
}

// New returns a writer on database. The same seed gives the same rows.
func New(tb testing.TB, database *dbtest.Database, seed uint64) *Writer {
	tb.Helper()
	return NewOn(tb, database.Pool(""), seed)
}

// NewOn returns a writer on a pool that connects as a superuser.
func NewOn(tb testing.TB, pool *pgxpool.Pool, seed uint64) *Writer {
	tb.Helper()
	w := &Writer{
		tb: tb, Pool: pool, random: rand.New(rand.NewPCG(seed, 0)),
		First: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Days: 5, Users: 40,
	}
	for n := range 8 {
		id := uuid.MustParse(fmt.Sprintf("00000000-0000-7000-8000-%012d", n+1))
		w.Products = append(w.Products, id)
		w.exec(`INSERT INTO catalog.products (id, sku, name, price_minor, currency) VALUES ($1, $2, $2, 100, 'EUR') ON CONFLICT DO NOTHING`,
			id, fmt.Sprintf("sku-%d", n+1))
	}
	w.exec(`SELECT ingest.ensure_partitions($1, $2)`, w.First, w.First.AddDate(0, 0, w.Days))
	return w
}

func (w *Writer) exec(sql string, args ...any) {
	w.tb.Helper()
	if _, err := w.Pool.Exec(context.WithoutCancel(w.tb.Context()), sql, args...); err != nil {
		w.tb.Fatal(err)
	}
}

var types = []string{"view", "view", "view", "click", "click", "add_to_cart", "search", "share:mail"}

// Batch commits one batch of n events, or of n purchases about once in five times, and returns its id.
func (w *Writer) Batch(n int) uuid.UUID {
	w.tb.Helper()
	ctx := context.WithoutCancel(w.tb.Context())
	id := uuid.Must(uuid.NewV7())
	purchases := w.random.IntN(5) == 0
	kind := "events"
	if purchases {
		kind = "purchases"
	}
	var minTS, maxTS time.Time
	rows := make([][]any, n)
	for i := range rows {
		// Few products and users get most rows, as in production, so folds write the same keys.
		product := w.Products[min(w.random.IntN(len(w.Products)), w.random.IntN(len(w.Products)))]
		user := fmt.Sprintf("user-%d", min(w.random.IntN(w.Users), w.random.IntN(w.Users)))
		ts := w.First.Add(time.Duration(w.random.Int64N(int64(w.Days) * int64(24*time.Hour)))).Truncate(time.Microsecond)
		if i == 0 || ts.Before(minTS) {
			minTS = ts
		}
		if i == 0 || ts.After(maxTS) {
			maxTS = ts
		}
		rows[i] = []any{int64(1), ts, time.Now(), uuid.New(), product, id, user}
		if purchases {
			rows[i] = append(rows[i], 1+w.random.IntN(3), int64(w.random.IntN(10_000)), "EUR")
		} else {
			rows[i] = append(rows[i], types[w.random.IntN(len(types))])
		}
	}
	columns := []string{"owner", "ts", "received_at", "id", "product_id", "batch_id", "user_id", "type"}
	if purchases {
		columns = append(columns[:7], "quantity", "amount_minor", "currency")
	}
	err := pgx.BeginFunc(ctx, w.Pool, func(tx pgx.Tx) error {
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{"ingest", kind}, columns, pgx.CopyFromRows(rows)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO ingest.batches (id, kind, rows, min_ts, max_ts) VALUES ($1, $2, $3, $4, $5)`, id, kind, n, minTS, maxTS)
		return err
	})
	if err != nil {
		w.tb.Fatalf("write a batch: %v", err)
	}
	return id
}

// Size returns a random size for a batch.
func (w *Writer) Size(most int) int { return 1 + w.random.IntN(most) }

// Pending returns the number of pending batches.
func (w *Writer) Pending() (n int) {
	w.tb.Helper()
	ctx := context.WithoutCancel(w.tb.Context())
	if err := w.Pool.QueryRow(ctx, `SELECT count(*) FROM ingest.batches WHERE aggregated_at IS NULL AND failed_at IS NULL`).Scan(&n); err != nil {
		w.tb.Fatal(err)
	}
	return n
}

// Backlog commits many batches of events at once, each of rows rows. It takes the few products and users in turn, so every
// batch writes the same rollup rows. It can be called once for a database: batch ids are in the order of time, but the same
// in every call.
func (w *Writer) Backlog(batches, rows, products, users int) {
	w.tb.Helper()
	const insert = `
		WITH made AS MATERIALIZED (
			SELECT (lpad(to_hex(b), 12, '0') || '7000800000000000' || '0000')::uuid AS batch_id, b FROM generate_series(1, $1::int) AS b
		), receipts AS (
			INSERT INTO ingest.batches (id, kind, rows, min_ts, max_ts)
			SELECT batch_id, 'events', $2::int, $5::timestamptz, $5::timestamptz + interval '1 day' FROM made
		)
		INSERT INTO ingest.events (owner, ts, received_at, id, product_id, batch_id, user_id, type)
		SELECT 1, $5 + make_interval(secs => (b * $2::int + n) * 86399.0 / (($1 + 1) * $2)), now(), gen_random_uuid(),
			($3::uuid[])[1 + (b + n) % cardinality($3)], batch_id, 'user-' || (b * 7 + n) % $4::int, 'view'
		FROM made, generate_series(1, $2) AS n`
	w.exec(insert, batches, rows, w.Products[:products], users, w.First)
	w.exec(`ANALYZE ingest.batches, ingest.events`)
}
