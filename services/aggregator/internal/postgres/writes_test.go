package postgres_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/internal/protocol/inserts"
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
	id        int64
	project   int16
	kind      string
	sent      []row
	expectNew bool // events, by the statement that fails if one of them is stored
	inTx      bool // three statements instead of one, so that others come in between
	rows      int  // that were new, as the database has answered; for orders: their lines
}

// run commits the batch as ingest does: events are checked if storing them as new ones fails.
func (w *write) run(ctx context.Context, pool *pgxpool.Pool) error {
	err := w.commit(ctx, pool, w.expectNew)
	if _, taken := postgres.IsCode(err, postgres.UniqueViolation); taken && w.expectNew {
		err = w.commit(ctx, pool, false)
	}
	if err != nil {
		return fmt.Errorf("write batch %d: %w", w.id, err)
	}
	return nil
}

func (w *write) commit(ctx context.Context, pool *pgxpool.Pool, expectNew bool) error {
	if !w.inTx {
		return w.insert(ctx, pool, expectNew)
	}
	return postgres.InTx(ctx, pool, pgx.TxOptions{}, func(tx pgx.Tx) error { return w.insert(ctx, tx, expectNew) })
}

// database is a pool or a transaction.
type database interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// insert runs the one statement, which is that of ingest.
func (w *write) insert(ctx context.Context, db database, expectNew bool) (err error) {
	if w.kind == protocol.KindEvents {
		w.rows, err = w.insertEvents(ctx, db, expectNew)
	} else {
		w.rows, err = w.insertOrders(ctx, db)
	}
	return err
}

func (w *write) insertEvents(ctx context.Context, db database, expectNew bool) (rows int, err error) {
	n := len(w.sent)
	times, ids, users, products, names := make([]time.Time, n), make([]uuid.UUID, n), make([]int64, n), make([]*int32, n), make([]int16, n)
	projects, batches, records, properties := make([]int16, n), make([]int64, n), make([][]byte, n), make([][]byte, n)
	header := facts.AppendHeader(nil, firstDay)
	for i, r := range w.sent {
		times[i], ids[i], users[i], names[i], projects[i], batches[i] = r.ts, r.id, r.user, r.name, w.project, w.id
		if r.product != 0 {
			products[i] = &w.sent[i].product
		}
		records[i] = facts.AppendEvent(nil, firstDay, facts.Event{TS: r.ts, User: r.user, Product: r.product, Name: r.name})
	}
	batch, project, epoch := []int64{w.id}, []int16{w.project}, []int64{0}
	first, last := []time.Time{times[0]}, []time.Time{times[n-1]} // they are sorted
	if expectNew {
		tag, err := db.Exec(ctx, inserts.NewEvents, w.project, w.id, times, ids, users, products, names, properties,
			w.id, w.project, n, times[0], times[n-1], slices.Concat(append([][]byte{header}, records...)...), 0)
		return int(tag.RowsAffected()), err
	}
	answer := append([]any{&rows}, make([]any, 11)...) // which of them are new, and what is wrong, which is nothing
	return rows, db.QueryRow(ctx, inserts.CheckedEvents, projects, times, ids, users, products, names, properties, batches, records,
		w.kind, batch, project, first, last, [][]byte{header}, n, []int32{}, []string{}, epoch).Scan(answer...)
}

func (w *write) insertOrders(ctx context.Context, db database) (rows int, err error) {
	n := len(w.sent)
	times, ids, users, counts, currencies := make([]time.Time, n), make([]uuid.UUID, n), make([]int64, n), make([]int16, n), make([]string, n)
	projects, batches, hashes, properties, encoded := make([]int16, n), make([]int64, n), make([][]byte, n), make([][]byte, n), make([][]byte, n)
	none, earlier := make([]*string, n), make([]bool, n)
	var lines struct {
		project          []int16
		id               []uuid.UUID
		product          []int32
		sku, currency    []string
		price            []*int64
		line             []int16
		ts               []time.Time
		quantity, amount []int64
	}
	for i, r := range w.sent {
		times[i], ids[i], users[i], counts[i], currencies[i] = r.ts, r.id, r.user, int16(len(r.lines)), "EUR"
		projects[i], batches[i], hashes[i] = w.project, w.id, []byte{}
		for k, l := range r.lines {
			lines.project, lines.id, lines.product = append(lines.project, w.project), append(lines.id, r.id), append(lines.product, l.product)
			lines.sku, lines.currency, lines.price = append(lines.sku, strconv.Itoa(int(l.product))), append(lines.currency, "EUR"), append(lines.price, nil)
			lines.line, lines.ts = append(lines.line, int16(k+1)), append(lines.ts, r.ts)
			lines.quantity, lines.amount = append(lines.quantity, l.units), append(lines.amount, l.amount)
			encoded[i] = facts.AppendLine(encoded[i], firstDay, facts.Line{
				TS: r.ts, User: r.user, Product: l.product, Currency: [3]byte([]byte("EUR")), Units: l.units, AmountMinor: l.amount,
				First: k == 0, FirstOf: k == 0 || l.product != r.lines[0].product,
			})
		}
	}
	var stored []uuid.UUID
	answer := append([]any{nil, nil, &stored}, make([]any, 6)...)
	err = db.QueryRow(ctx, inserts.Orders, lines.project, lines.id, lines.product, lines.sku, lines.price, lines.currency,
		projects, ids, times, users, batches, counts, currencies, none, hashes, properties, encoded, none, none, make([][]byte, n),
		lines.line, lines.ts, lines.quantity, lines.amount, facts.AppendHeader(nil, firstDay), earlier, []int16{w.project}, []int64{0}).Scan(answer...)
	for _, r := range w.sent {
		if slices.Contains(stored, r.id) {
			rows += len(r.lines)
		}
	}
	return rows, err
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
	w.expectNew = w.kind == protocol.KindEvents && c.random.IntN(2) == 0
	key := fmt.Sprint(w.kind, w.project)
	taken := map[identity]bool{}
	for range 1 + c.random.IntN(12) {
		r := c.row(w.project, w.kind)
		if sent := c.sent[key]; len(sent) > 0 && c.random.IntN(4) == 0 {
			r = sent[len(sent)-1-c.random.IntN(min(len(sent), 30))]
		}
		if taken[r.identity()] {
			continue // ingest sends each once in a batch
		}
		taken[r.identity()] = true
		w.sent = append(w.sent, r)
	}
	c.sent[key] = append(c.sent[key], w.sent...)
	slices.SortFunc(w.sent, func(a, b row) int { // as ingest does, so that two writers cannot deadlock
		if w.kind == protocol.KindOrders {
			return bytes.Compare(a.id[:], b.id[:])
		}
		return cmp.Or(a.ts.Compare(b.ts), bytes.Compare(a.id[:], b.id[:]))
	})
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
