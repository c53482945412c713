package postgres

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// inserted is what an insert of orders did.
type inserted struct {
	index      []int // of the orders that were to be inserted
	receivedAt time.Time
	stored     map[order.Key]int64 // the batch of each new one
	inFlight   map[order.Key]bool  // have an Idempotency-Key that another transaction works on
	changed    map[order.Key]bool  // were made for a former version of a product
	epochs     map[int16]int64     // of projects whose users were erased since those of some orders were looked up
}

// insertOrders stores the new ones of some orders with their lines, Idempotency-Keys, receipts and the first_seen of their
// users. It is one statement and so one transaction, and Postgres begins it when it has received all of it: a process that
// freezes while it sends holds nothing.
//
// An order is new if its Idempotency-Key is not stored and not locked by another transaction, its id is not stored, the
// products of its lines have not changed, and no users of the project were erased since those of the orders were looked up. If another transaction commits one of the keys between this statement's snapshot and
// its insert, the key's uniqueness is violated and nothing is stored.
//
// The clock is read while the statement holds its locks, because analytics tells by those locks up to when its numbers are
// complete. LIMIT keeps the planner to one look-up in an index for each row, whatever it believes of sizes. CASE is one
// condition to the planner: with two it expects a single new order, and compares each stored order with each line.
const insertOrders = `
	WITH moment AS MATERIALIZED (
		SELECT clock_timestamp() AS received_at
	), changed AS MATERIALIZED (
		SELECT DISTINCT project, order_id
		FROM unnest($1::smallint[], $2::uuid[], $3::integer[], $4::text[], $5::bigint[], $6::text[])
			AS sent (project, order_id, product, sku, list_price, currency)
		WHERE NOT ` + unchangedLine + `
	), expired AS MATERIALIZED (
		SELECT expired.*
		FROM unnest($27::smallint[], $28::bigint[]) AS sent (project, epoch) CROSS JOIN LATERAL (` + expired + ` LIMIT 1) AS expired
	), sent AS MATERIALIZED (
		SELECT sent.*, sent.key IS NULL OR ` + lockKey + ` AS locked
		FROM unnest($7::smallint[], $8::uuid[], $9::timestamptz[], $10::bigint[], $11::bigint[], $12::smallint[], $13::text[],
				$14::text[], $15::bytea[], $16::jsonb[], $17::bytea[], $18::text[], $19::text[], $20::bytea[], $26::boolean[])
			AS sent (project, id, ts, user_n, batch, lines, currency, number, content_hash, properties, facts, principal, key, body_hash, earlier)
	), fresh AS MATERIALIZED (
		SELECT *
		FROM sent
		WHERE CASE WHEN locked THEN (project, id) NOT IN (SELECT project, order_id FROM changed) AND project NOT IN (SELECT project FROM expired) END AND NOT coalesce((
			SELECT true FROM ingest.idempotency_keys AS k
			WHERE k.project = sent.project AND k.principal = sent.principal AND k.key = sent.key LIMIT 1), false)
	), stored AS (
		INSERT INTO ingest.orders (project, id, ts, received_at, user_n, batch, lines, currency, number, content_hash, properties)
		SELECT project, id, ts, received_at, user_n, batch, lines, currency, number, content_hash, properties
		FROM fresh, moment
		ON CONFLICT (project, id) DO NOTHING
		RETURNING project, id
	), added AS MATERIALIZED (
		SELECT fresh.* FROM fresh JOIN stored USING (project, id)
	), stored_lines AS (
		INSERT INTO ingest.order_lines (project, order_id, line, ts, product, quantity, amount_minor)
		SELECT project, id, sent.line, sent.ts, sent.product, sent.quantity, sent.amount_minor
		FROM unnest($1::smallint[], $2::uuid[], $21::smallint[], $22::timestamptz[], $3::integer[], $23::integer[], $24::bigint[])
			AS sent (project, id, line, ts, product, quantity, amount_minor)
		JOIN stored USING (project, id)
	), keys AS (
		INSERT INTO ingest.idempotency_keys (project, principal, key, body_hash, response)
		SELECT project, principal, key, body_hash, jsonb_build_object('id', id)
		FROM added
		WHERE key IS NOT NULL
	), receipts AS (
		INSERT INTO ingest.batches (project, id, kind, rows, min_ts, max_ts, received_at, facts)
		SELECT project, batch, 'orders', sum(lines), min(ts), max(ts), (SELECT received_at FROM moment),
		       $25::bytea || string_agg(facts, ''::bytea)
		FROM added
		GROUP BY project, batch
	), seen AS MATERIALIZED (
		SELECT project, user_n, min(ts) AS ts
		FROM added
		WHERE earlier
		GROUP BY project, user_n
		ORDER BY project, user_n
	), lowered AS (` + lowerFirstSeen + `
	)
	SELECT (SELECT received_at FROM moment), array_agg(project), array_agg(id),
	       (SELECT array_agg(project) FROM sent WHERE NOT locked), (SELECT array_agg(id) FROM sent WHERE NOT locked),
	       (SELECT array_agg(project) FROM changed), (SELECT array_agg(order_id) FROM changed),
	       (SELECT array_agg(project) FROM expired), (SELECT array_agg(epoch) FROM expired)
	FROM stored`

// insertOrders stores the new ones of the open orders.
func (s *Store) insertOrders(ctx context.Context, orders []order.Order, open []int) (inserted, error) {
	batches, err := s.batchOf(ctx, projectsOf(orders, open))
	if err != nil {
		return inserted{}, err
	}
	c := newOrderColumns(orders, open, batches)
	news := s.seen.earlier(c.sightings)
	result := inserted{index: c.index}
	var stored, inFlight, changed keyColumns
	var erased epochColumns
	err = s.repeatedOnConnection(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, insertOrders,
			c.lines.project, c.lines.id, c.lines.product, c.lines.sku, c.lines.listPrice, c.lines.currency,
			c.project, c.id, c.ts, c.user, c.batch, c.count, c.currency, c.number, c.hash, c.properties, c.facts, c.principal, c.key, c.bodyHash,
			c.lines.line, c.lines.ts, c.lines.quantity, c.lines.amount, facts.AppendHeader(nil, c.base),
			mayLower(c.user, news), c.epochs.project, c.epochs.epoch).
			Scan(&result.receivedAt, &stored.project, &stored.id, &inFlight.project, &inFlight.id, &changed.project, &changed.id, &erased.project, &erased.epoch)
	})
	if err != nil {
		return inserted{}, err
	}
	if len(stored.id) == len(c.index) {
		s.seen.committed(news)
	}
	result.inFlight, result.changed, result.epochs = inFlight.set(), changed.set(), erased.byProject()
	result.stored = make(map[order.Key]int64, len(stored.id))
	for key := range stored.set() {
		result.stored[key] = batches[key.Project]
	}
	return result, nil
}

// projectsOf returns the different projects of the open orders.
func projectsOf(orders []order.Order, open []int) []int16 {
	var projects []int16
	for _, i := range open {
		if !slices.Contains(projects, orders[i].Project) {
			projects = append(projects, orders[i].Project)
		}
	}
	return projects
}

// batchOf returns a new batch for each project.
func (s *Store) batchOf(ctx context.Context, projects []int16) (map[int16]int64, error) {
	batches := make(map[int16]int64, len(projects))
	for _, project := range projects {
		id, err := s.ids.take(ctx, s.pool)
		if err != nil {
			return nil, err
		}
		batches[project] = id
	}
	return batches, nil
}

// epochColumns are epochs of projects as arrays.
type epochColumns struct {
	project []int16
	epoch   []int64
}

// add notes the epoch at which a user was looked up. Only the lowest of each project counts.
func (c *epochColumns) add(project int16, epoch int64) {
	if i := slices.Index(c.project, project); i >= 0 {
		c.epoch[i] = min(c.epoch[i], epoch)
		return
	}
	c.project, c.epoch = append(c.project, project), append(c.epoch, epoch)
}

func (c *epochColumns) byProject() map[int16]int64 {
	epochs := make(map[int16]int64, len(c.project))
	for i, project := range c.project {
		epochs[project] = c.epoch[i]
	}
	return epochs
}

// keyColumns are keys as arrays.
type keyColumns struct {
	project []int16
	id      []uuid.UUID
}

func (k *keyColumns) set() map[order.Key]bool {
	set := make(map[order.Key]bool, len(k.id))
	for i, id := range k.id {
		set[order.Key{Project: k.project[i], ID: id}] = true
	}
	return set
}

// orderColumns are orders as arrays, one row for each, and those of their lines.
type orderColumns struct {
	index          []int // of the order that a row comes from
	base           time.Time
	sightings      sightings
	epochs         epochColumns
	project        []int16
	id             [][16]byte // pgx encodes these directly; it converts a uuid.UUID to text first
	ts             []time.Time
	user, batch    []int64
	count          []int16
	currency       []string
	number         []*string
	hash, bodyHash [][]byte
	properties     [][]byte
	facts          [][]byte
	principal, key []*string
	lines          lineColumns
}

type lineColumns struct {
	project   []int16
	id        [][16]byte
	line      []int16
	ts        []time.Time
	product   []int32
	sku       []string
	listPrice []*int64
	currency  []string
	quantity  []int32
	amount    []int64
}

// newOrderColumns returns the open ones of orders. Of several with the same key only the first is among them: what its insert
// did decides about the others. Rows are in key order, so that two writers of the same orders cannot deadlock. batches has the
// batch of each project.
func newOrderColumns(orders []order.Order, open []int, batches map[int16]int64) *orderColumns {
	c := &orderColumns{index: make([]int, 0, len(open)), sightings: sightings{}}
	seen := make(map[order.Key]struct{}, len(open))
	for _, i := range open {
		if _, again := seen[orders[i].Key]; !again {
			seen[orders[i].Key] = struct{}{}
			c.index = append(c.index, i)
		}
	}
	slices.SortFunc(c.index, func(a, b int) int { return compareKeys(orders[a].Key, orders[b].Key) })
	c.base = orders[c.index[0]].TS
	for _, i := range c.index {
		c.add(&orders[i], batches[orders[i].Project])
	}
	return c
}

// mayLower tells for each row of some users whether it may lower the first_seen of its user: one of news.
func mayLower(users []int64, news []sighting) []bool {
	may := make(map[int64]struct{}, len(news)) // numbers of users differ in all projects
	for _, n := range news {
		may[n.user] = struct{}{}
	}
	earlier := make([]bool, len(users))
	for i, user := range users {
		_, earlier[i] = may[user]
	}
	return earlier
}

func compareKeys(a, b order.Key) int {
	return cmp.Or(cmp.Compare(a.Project, b.Project), bytes.Compare(a.ID[:], b.ID[:]))
}

func (c *orderColumns) add(o *order.Order, batch int64) {
	c.project, c.id, c.ts = append(c.project, o.Project), append(c.id, o.ID), append(c.ts, o.TS)
	c.user, c.batch = append(c.user, o.User), append(c.batch, batch)
	c.sightings.add(o.Project, o.User, o.TS)
	c.epochs.add(o.Project, o.Epoch)
	c.count, c.currency, c.number = append(c.count, int16(len(o.Lines))), append(c.currency, o.Currency), append(c.number, optional(o.Number))
	c.hash, c.properties = append(c.hash, o.ContentHash[:]), append(c.properties, o.Properties)
	c.facts = append(c.facts, o.AppendFacts(nil, c.base))
	var principal, key *string
	var hash []byte
	if k := o.Idempotency; k != nil {
		principal, key, hash = &k.Principal, &k.Key, k.BodyHash[:]
	}
	c.principal, c.key, c.bodyHash = append(c.principal, principal), append(c.key, key), append(c.bodyHash, hash)
	for i := range o.Lines {
		c.lines.add(o, i)
	}
}

func (c *lineColumns) add(o *order.Order, i int) {
	l := &o.Lines[i]
	c.project, c.id, c.line, c.ts = append(c.project, o.Project), append(c.id, o.ID), append(c.line, int16(i+1)), append(c.ts, o.TS)
	c.product, c.sku, c.listPrice = append(c.product, l.Product), append(c.sku, l.SKU), append(c.listPrice, l.ListPrice)
	c.currency = append(c.currency, o.Currency)
	c.quantity, c.amount = append(c.quantity, int32(l.Quantity)), append(c.amount, l.AmountMinor)
}

// optional returns nil for an empty text.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
