// Package batchtest writes batches as the ingest service commits them, for tests of the code that folds them.
package batchtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// Writer commits random batches to a project, over a few products, users and days.
type Writer struct {
	tb       testing.TB
	Pool     *pgxpool.Pool
	random   *rand.Rand
	Project  int16
	Products []int32
	Users    []int64
	Names    []stats.Name // those that events have, the usual ones more often
	First    time.Time    // the start of the first of the days in UTC that rows are spread over
	Days     int
	sold     []soldLine
}

// soldLine is a line of an order that may be refunded.
type soldLine struct {
	ts       time.Time
	order    [16]byte
	user     int64
	product  int32
	line     int16
	units    int64 // left
	amount   int64 // left, in minor units
	currency [3]byte
}

// New returns a writer to the default project of database. The same seed gives the same rows.
func New(tb testing.TB, database *dbtest.Database, seed uint64) *Writer {
	tb.Helper()
	return NewOn(tb, database.Pool(""), seed)
}

// NewOn returns a writer on a pool that connects as a superuser.
func NewOn(tb testing.TB, pool *pgxpool.Pool, seed uint64) *Writer {
	tb.Helper()
	w := &Writer{
		tb: tb, Pool: pool, random: rand.New(rand.NewPCG(seed, 0)), Project: authn.DefaultProject,
		First: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Days: 5,
	}
	w.prepare()
	return w
}

// InProject returns a writer to a new project with a time zone, which has products, users and names of its own.
func (w *Writer) InProject(slug, zone string) *Writer {
	w.tb.Helper()
	other := &Writer{tb: w.tb, Pool: w.Pool, random: w.random, First: w.First, Days: w.Days}
	other.query(`INSERT INTO auth.projects (slug, name, time_zone) VALUES ($1, $1, $2) RETURNING id`, []any{slug, zone}, &other.Project)
	other.prepare()
	return other
}

func (w *Writer) prepare() {
	w.tb.Helper()
	w.Products, w.Users = w.products(8), w.users(40)
	custom := w.names("search", "share:mail", "Signed Up")
	w.Names = append([]stats.Name{stats.View, stats.View, stats.View, stats.Click, stats.Click, stats.AddToCart}, custom...)
	w.Partitions(w.First, w.Days)
}

// Partitions makes the partitions for rows of a number of days and of those beside them.
func (w *Writer) Partitions(first time.Time, days int) {
	w.tb.Helper()
	w.exec(`SELECT ingest.ensure_partitions($1, $2)`, first, first.AddDate(0, 0, days))
}

// products returns the numbers of n products, which it makes if need be.
func (w *Writer) products(n int) (numbers []int32) {
	w.tb.Helper()
	w.exec(`
		INSERT INTO catalog.products (id, project, sku, name, price_minor, currency)
		SELECT gen_random_uuid(), $1::smallint, 'sku-' || n, 'sku-' || n, 100, 'EUR' FROM generate_series(1, $2::int) AS n
		ON CONFLICT DO NOTHING`, w.Project, n)
	w.query(`
		SELECT array_agg(p.n ORDER BY p.n) FROM catalog.products p JOIN generate_series(1, $2::int) AS i ON p.sku = 'sku-' || i
		WHERE project = $1`, []any{w.Project, n}, &numbers)
	return numbers
}

// users returns the numbers of n users, which it makes if need be.
func (w *Writer) users(n int) (numbers []int64) {
	w.tb.Helper()
	w.exec(`
		INSERT INTO ingest.users (project, anonymous, id) SELECT $1::smallint, false, 'user-' || n FROM generate_series(1, $2::int) AS n
		ON CONFLICT DO NOTHING`, w.Project, n)
	w.query(`
		SELECT array_agg(u.n ORDER BY u.n) FROM ingest.users u JOIN generate_series(1, $2::int) AS i ON u.id = 'user-' || i
		WHERE project = $1`, []any{w.Project, n}, &numbers)
	return numbers
}

// names returns the numbers of custom names of events, and gives the project the usual ones.
func (w *Writer) names(custom ...string) (numbers []stats.Name) {
	w.tb.Helper()
	w.exec(`
		INSERT INTO ingest.names (project, n, name)
		SELECT $1::smallint, n, name FROM unnest(ARRAY['view', 'click', 'add_to_cart']) WITH ORDINALITY AS usual (name, n)
		UNION ALL
		SELECT $1, $3::smallint + n - 1, name FROM unnest($2::text[]) WITH ORDINALITY AS custom (name, n)
		ON CONFLICT DO NOTHING`, w.Project, custom, stats.FirstName)
	w.query(`SELECT array_agg(n ORDER BY n) FROM ingest.names WHERE project = $1 AND n >= $2`, []any{w.Project, stats.FirstName}, &numbers)
	return numbers
}

func (w *Writer) exec(sql string, args ...any) {
	w.tb.Helper()
	if _, err := w.Pool.Exec(context.WithoutCancel(w.tb.Context()), sql, args...); err != nil {
		w.tb.Fatal(err)
	}
}

func (w *Writer) query(sql string, args []any, into ...any) {
	w.tb.Helper()
	if err := w.Pool.QueryRow(context.WithoutCancel(w.tb.Context()), sql, args...).Scan(into...); err != nil {
		w.tb.Fatal(err)
	}
}

// inTx runs fn in a transaction.
func (w *Writer) inTx(fn func(ctx context.Context, tx pgx.Tx) error) {
	w.tb.Helper()
	ctx := context.WithoutCancel(w.tb.Context())
	if err := pgx.BeginFunc(ctx, w.Pool, func(tx pgx.Tx) error { return fn(ctx, tx) }); err != nil {
		w.tb.Fatalf("write a batch: %v", err)
	}
}

// Batch commits one batch of n rows and returns its id: of events, or about once in five times of orders, or of refunds.
func (w *Writer) Batch(n int) int64 {
	w.tb.Helper()
	switch w.random.IntN(10) {
	case 0, 1:
		return w.Orders(n)
	case 2:
		if len(w.sold) >= n {
			return w.Refunds(n)
		}
	}
	return w.Events(n)
}

// newID returns an id for the next batch.
func (w *Writer) newID() (id int64) {
	w.tb.Helper()
	w.query(`SELECT nextval('ingest.batch_ids')`, nil, &id)
	return id
}

// some returns one of the entries, the first ones more often. Few products and users get most rows, as in production, so folds
// write the same keys.
func some[E any](w *Writer, all []E) E {
	return all[min(w.random.IntN(len(all)), w.random.IntN(len(all)))]
}

// time returns a time within the days.
func (w *Writer) time() time.Time {
	return w.First.Add(time.Duration(w.random.Int64N(int64(w.Days) * int64(24*time.Hour)))).Truncate(time.Microsecond)
}

// Size returns a random size for a batch.
func (w *Writer) Size(most int) int { return 1 + w.random.IntN(most) }

// Pending returns the number of pending batches of all projects.
func (w *Writer) Pending() (n int) {
	w.tb.Helper()
	w.query(`SELECT count(*) FROM ingest.batches WHERE aggregated_at IS NULL AND failed_at IS NULL`, nil, &n)
	return n
}

// receipt inserts the row of a batch.
func (w *Writer) receipt(ctx context.Context, tx pgx.Tx, id int64, kind string, rows int, times []time.Time, facts []byte) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO ingest.batches (project, id, kind, rows, min_ts, max_ts, facts)
		SELECT $1, $2, $3, $4, min(ts), max(ts), $6 FROM unnest($5::timestamptz[]) AS ts`, w.Project, id, kind, rows, times, facts)
	if err != nil {
		return fmt.Errorf("insert the batch: %w", err)
	}
	return nil
}

// see records when users were first seen.
func (w *Writer) see(ctx context.Context, tx pgx.Tx, users []int64, times []time.Time) error {
	_, err := tx.Exec(ctx, `
		UPDATE ingest.users AS u SET first_seen = least(u.first_seen, seen.ts)
		FROM (SELECT n, min(ts) AS ts FROM unnest($2::bigint[], $3::timestamptz[]) AS row (n, ts) GROUP BY n) AS seen
		WHERE u.project = $1 AND u.n = seen.n`, w.Project, users, times)
	if err != nil {
		return fmt.Errorf("record when users were first seen: %w", err)
	}
	return nil
}
