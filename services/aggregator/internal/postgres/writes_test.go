package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
)

// row is an event, or an order of one or two lines, as its client sends it. The client sends the same under the same identity,
// however often.
type row struct {
	project int16
	ts      time.Time
	id      uuid.UUID
	user    int64
	product int32      // of an event; 0 for none
	name    int16      // of an event; 0 for an order
	lines   []lineSent // of an order
}

type lineSent struct {
	product       int32
	units, amount int64
}

// identity is the key of a raw row: an order has no time in it.
type identity struct {
	project int16
	micros  int64
	id      uuid.UUID
}

func (r row) identity() identity {
	if r.name == 0 {
		return identity{r.project, 0, r.id}
	}
	return identity{r.project, r.ts.UnixMicro(), r.id}
}

// write is one batch on its way into the database.
type write struct {
	id      int64
	project int16
	kind    string
	sent    []row
	inTx    bool // three statements instead of one, so that others come in between
	rows    int  // that were new, as the database has answered; for orders: their lines
}

// The statements are in the shape of those by which ingest commits batches: one statement inserts rows, leaves out those that
// are there, and puts together the facts of the others.
const (
	insertEvents = `
		WITH sent AS MATERIALIZED (
			SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::bigint[], $4::integer[], $5::smallint[], $6::bytea[]) AS sent (ts, id, user_n, product, name, record)
		), stored AS (
			INSERT INTO ingest.events (project, ts, id, user_n, product, name, batch)
			SELECT DISTINCT ON (ts, id) $7::smallint, ts, id, user_n, nullif(product, 0), name, $8::bigint FROM sent ORDER BY ts, id
			ON CONFLICT (project, ts, id) DO NOTHING
			RETURNING ts, id
		), counted AS (
			SELECT count(*) AS rows, min(ts) AS min_ts, max(ts) AS max_ts, string_agg(record, '') AS records
			FROM (SELECT DISTINCT ON (ts, id) ts, record FROM stored JOIN sent USING (ts, id)) AS new
		), receipt AS (
			INSERT INTO ingest.batches (kind, id, project, rows, min_ts, max_ts, facts, aggregated_at)
			SELECT 'events', $8, $7, rows, min_ts, max_ts, $9::bytea || records, CASE WHEN rows = 0 THEN clock_timestamp() END FROM counted
		)
		SELECT rows FROM counted`
	insertOrders = `
		WITH sent AS MATERIALIZED (
			SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::bigint[], $4::integer[], $5::smallint[], $6::bytea[]) AS sent (ts, id, user_n, product, line, record)
		), stored AS (
			INSERT INTO ingest.orders (project, ts, id, user_n, batch, lines, currency, content_hash)
			SELECT $7::smallint, min(ts), id, min(user_n), $8::bigint, count(*), 'EUR', '' FROM sent GROUP BY id ORDER BY id
			ON CONFLICT (project, id) DO NOTHING
			RETURNING ts, id
		), lines AS (
			INSERT INTO ingest.order_lines (project, order_id, line, ts, product, quantity, amount_minor)
			SELECT $7, id, line, ts, product, 1, 100 FROM stored JOIN sent USING (ts, id)
		), counted AS (
			SELECT count(*) AS rows, min(ts) AS min_ts, max(ts) AS max_ts, string_agg(record, '') AS records FROM stored JOIN sent USING (ts, id)
		), receipt AS (
			INSERT INTO ingest.batches (kind, id, project, rows, min_ts, max_ts, facts, aggregated_at)
			SELECT 'orders', $8, $7, rows, min_ts, max_ts, $9::bytea || records, CASE WHEN rows = 0 THEN clock_timestamp() END FROM counted
		)
		SELECT rows FROM counted`
)

// run commits the batch, as ingest does.
func (w *write) run(ctx context.Context, pool *pgxpool.Pool) error {
	if !w.inTx {
		return w.insert(ctx, pool)
	}
	return postgres.InTx(ctx, pool, pgx.TxOptions{}, func(tx pgx.Tx) error { return w.insert(ctx, tx) })
}

// insert runs the one statement.
func (w *write) insert(ctx context.Context, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}) error {
	base := firstDay
	statement := insertEvents
	var times []time.Time
	var ids []uuid.UUID
	var users []int64
	var products []int32
	var numbers []int16 // of names or lines
	var records [][]byte
	add := func(r row, product int32, number int16, record []byte) {
		times, ids, users = append(times, r.ts), append(ids, r.id), append(users, r.user)
		products, numbers, records = append(products, product), append(numbers, number), append(records, record)
	}
	for _, r := range w.sent {
		if w.kind == protocol.KindEvents {
			add(r, r.product, r.name, facts.AppendEvent(nil, base, facts.Event{TS: r.ts, User: r.user, Product: r.product, Name: r.name}))
			continue
		}
		statement = insertOrders
		for i, l := range r.lines {
			add(r, l.product, int16(i+1), facts.AppendLine(nil, base, facts.Line{
				TS: r.ts, User: r.user, Product: l.product, Currency: [3]byte([]byte("EUR")), Units: 1, AmountMinor: 100,
				First: i == 0, FirstOf: i == 0 || l.product != r.lines[0].product,
			}))
		}
	}
	err := db.QueryRow(ctx, statement, times, ids, users, products, numbers, records, w.project, w.id, facts.AppendHeader(nil, base)).Scan(&w.rows)
	if err != nil {
		return fmt.Errorf("write batch %d: %w", w.id, err)
	}
	return nil
}

// client makes batches for two projects: few products, users and days, so that folders meet in the same rows of the rollups, and
// some of what was sent before, as clients do that got no answer.
type client struct {
	random   *rand.Rand
	made     uint64
	projects []int16
	sent     map[string][]row // by kind and project
}

// firstDay is the first of the three days that rows are of.
var firstDay = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// newID returns an id that was not returned before.
func (c *client) newID() (id uuid.UUID) {
	c.made++
	for i := range 6 {
		id[5-i] = byte(c.made >> (8 * i))
	}
	id[6], id[8] = 0x70, 0x80
	return id
}

// batch returns the next batch to be sent.
func (c *client) batch() *write {
	c.made++
	w := &write{id: int64(c.made), project: c.projects[c.random.IntN(len(c.projects))], kind: protocol.KindEvents, inTx: c.random.IntN(2) == 0}
	if c.random.IntN(4) == 0 {
		w.kind = protocol.KindOrders
	}
	key := fmt.Sprint(w.kind, w.project)
	taken := map[identity]bool{}
	for range 1 + c.random.IntN(12) {
		r := c.row(w.project, w.kind)
		if sent := c.sent[key]; len(sent) > 0 && c.random.IntN(4) == 0 {
			r = sent[len(sent)-1-c.random.IntN(min(len(sent), 30))]
		}
		if w.kind == protocol.KindOrders && taken[r.identity()] {
			continue // ingest sends an order once in a batch; of events the database takes one
		}
		taken[r.identity()] = true
		w.sent = append(w.sent, r)
	}
	c.sent[key] = append(c.sent[key], w.sent...)
	return w
}

// row returns something that was never sent before.
func (c *client) row(project int16, kind string) row {
	names := []int16{1, 2, 3, 16, 17, 70}
	r := row{
		project: project, ts: firstDay.Add(time.Duration(c.random.Int64N(int64(72 * time.Hour)))).Truncate(time.Microsecond),
		id: c.newID(), user: int64(project)*65_534 + c.random.Int64N(6), // in several chunks
	}
	if kind == protocol.KindEvents {
		r.product, r.name = int32(c.random.IntN(4)), names[c.random.IntN(len(names))]
		return r
	}
	for range 1 + c.random.IntN(2) {
		r.lines = append(r.lines, lineSent{product: 1 + int32(c.random.IntN(3)), units: 1, amount: 100})
	}
	return r
}
