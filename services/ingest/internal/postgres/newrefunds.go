package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// insertRefunds stores refunds whose ids are all new, with what they take from the lines of their orders, and their receipts, in
// one statement. $1 to $5 are all lines of these orders with what was refunded when the refunds were planned. The statement
// locks the lines, which waits for refunds that other processes are storing; if an order has changed since, none of its refunds
// is stored. Lines are locked in the order of their keys, so that two of these statements cannot deadlock. A refund whose id
// exists fails the statement. A refund of no order has the order $26 here, and needs no lines of one. Nothing of a project is stored
// whose users were erased since those of the refunds were read.
const insertRefunds = `
	WITH expired AS MATERIALIZED (
		SELECT expired.*
		FROM unnest($27::smallint[], $28::bigint[]) AS sent (project, epoch) CROSS JOIN LATERAL (` + expired + ` LIMIT 1) AS expired
	), lines AS MATERIALIZED (
		SELECT l.project, l.order_id, l.line, l.refunded_units = planned.units AND l.refunded_minor = planned.amount AS same
		FROM unnest($1::smallint[], $2::uuid[], $3::smallint[], $4::integer[], $5::bigint[])
			AS planned (project, order_id, line, units, amount)
		JOIN ingest.order_lines AS l USING (project, order_id, line)
		ORDER BY l.project, l.order_id, l.line
		FOR UPDATE OF l
	), same AS MATERIALIZED (
		SELECT project, order_id FROM lines GROUP BY project, order_id HAVING bool_and(same)
	), moment AS MATERIALIZED (
		SELECT clock_timestamp() AS received_at
	), fresh AS MATERIALIZED (
		SELECT sent.*
		FROM unnest($6::smallint[], $7::uuid[], $8::uuid[], $9::timestamptz[], $10::bigint[], $11::bigint[], $12::smallint[],
				$13::text[], $14::text[], $15::bytea[], $16::bytea[], $17::boolean[], $29::text[])
			AS sent (project, id, order_id, ts, user_n, batch, lines, currency, reason, content_hash, facts, earlier, number)
		LEFT JOIN same USING (project, order_id)
		WHERE (same.order_id IS NOT NULL OR sent.order_id = $26) AND sent.project NOT IN (SELECT project FROM expired)
	), stored AS (
		INSERT INTO ingest.refunds (project, id, order_id, ts, received_at, user_n, batch, lines, currency, number, reason, content_hash)
		SELECT project, id, nullif(order_id, $26), ts, received_at, user_n, batch, lines, currency, number, reason, content_hash
		FROM fresh, moment
		ORDER BY project, id
	), back AS MATERIALIZED (
		SELECT sent.*
		FROM unnest($18::smallint[], $19::uuid[], $20::uuid[], $21::smallint[], $22::integer[], $23::integer[], $24::bigint[])
			AS sent (project, refund_id, order_id, line, product, units, amount_minor)
		LEFT JOIN same USING (project, order_id)
		WHERE (same.order_id IS NOT NULL OR sent.order_id = $26) AND sent.project NOT IN (SELECT project FROM expired)
	), stored_lines AS (
		INSERT INTO ingest.refund_lines (project, refund_id, line, product, units, amount_minor)
		SELECT project, refund_id, line, product, units, amount_minor FROM back
	), taken AS (
		UPDATE ingest.order_lines AS l
		SET refunded_units = l.refunded_units + b.units, refunded_minor = l.refunded_minor + b.amount_minor
		FROM (
			SELECT project, order_id, line, sum(units) AS units, sum(amount_minor) AS amount_minor
			FROM back GROUP BY project, order_id, line
		) AS b
		WHERE l.project = b.project AND l.order_id = b.order_id AND l.line = b.line
	), receipts AS (
		INSERT INTO ingest.batches (project, id, kind, rows, min_ts, max_ts, received_at, facts)
		SELECT project, batch, 'refunds', sum(lines), min(ts), max(ts), (SELECT received_at FROM moment),
		       $25::bytea || string_agg(facts, ''::bytea)
		FROM fresh
		GROUP BY project, batch
	), seen AS MATERIALIZED (
		SELECT project, user_n, min(ts) AS ts FROM fresh WHERE earlier GROUP BY project, user_n ORDER BY project, user_n
	), lowered AS (` + lowerFirstSeen + `
	)
	SELECT (SELECT received_at FROM moment), array_agg(project), array_agg(id),
	       (SELECT array_agg(project) FROM expired), (SELECT array_agg(epoch) FROM expired)
	FROM fresh`

// insertRefunds returns those that it has stored, by key, and the epochs of projects in which it has stored nothing, because users
// were erased. orders are the orders of the refunds as they were read.
func (s *Store) insertRefunds(
	ctx context.Context, planned []plannedRefund, orders map[order.Key]order.Order,
) (_ map[order.Key]plannedRefund, epochs map[int16]int64, _ error) {
	if len(planned) == 0 {
		return nil, nil, nil
	}
	var projects []int16
	for i := range planned {
		if !slices.Contains(projects, planned[i].Project) {
			projects = append(projects, planned[i].Project)
		}
	}
	batches, err := s.batchOf(ctx, projects)
	if err != nil {
		return nil, nil, err
	}
	c := newRefundColumns(planned, orders, batches)
	news := s.seen.earlier(c.sightings)
	var receivedAt time.Time
	var stored keyColumns
	var erased epochColumns
	err = s.repeatedOnConnection(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, insertRefunds,
			c.before.project, c.before.id, c.before.line, c.before.units, c.before.amount,
			c.project, c.id, c.order, c.ts, c.user, c.batch, c.count, c.currency, c.reason, c.hash, c.facts, mayLower(c.user, news),
			c.lines.project, c.lines.refund, c.lines.id, c.lines.line, c.lines.product, c.lines.units, c.lines.amount,
			facts.AppendHeader(nil, c.base), uuid.Nil, c.epochs.project, c.epochs.epoch, c.number).
			Scan(&receivedAt, &stored.project, &stored.id, &erased.project, &erased.epoch)
	})
	if err != nil {
		return nil, nil, err
	}
	if len(stored.id) == len(planned) {
		s.seen.committed(news)
	}
	isNew, result := stored.set(), make(map[order.Key]plannedRefund, len(stored.id))
	for _, r := range planned {
		if isNew[r.Key] {
			r.Batch, r.ReceivedAt = batches[r.Project], receivedAt.UTC()
			result[r.Key] = r
		}
	}
	return result, erased.byProject(), nil
}

// epochsOf returns the epochs of projects in which users were erased.
func (s *Store) epochsOf(ctx context.Context, keys []order.Key) (map[int16]int64, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var projects []int16
	for _, key := range keys {
		if !slices.Contains(projects, key.Project) {
			projects = append(projects, key.Project)
		}
	}
	var epochs epochColumns
	const query = `SELECT array_agg(project), array_agg(epoch) FROM ingest.erasure_epochs WHERE project = ANY($1)`
	if err := s.pool.QueryRow(ctx, query, projects).Scan(&epochs.project, &epochs.epoch); err != nil {
		return nil, fmt.Errorf("read the epochs of %d projects: %w", len(projects), err)
	}
	return epochs.byProject(), nil
}

// refundColumns are refunds as arrays, with their lines, and with all lines of their orders.
type refundColumns struct {
	base        time.Time
	sightings   sightings
	epochs      epochColumns
	project     []int16
	id, order   [][16]byte
	ts          []time.Time
	user, batch []int64
	count       []int16
	currency    []string
	number      []*string
	reason      []*string
	hash, facts [][]byte
	before      refundedColumns // what was refunded of the lines of the orders before
	lines       refundedColumns
}

type refundedColumns struct {
	project    []int16
	refund, id [][16]byte // id is that of the order
	line       []int16
	product    []int32
	units      []int32
	amount     []int64
}

func newRefundColumns(planned []plannedRefund, orders map[order.Key]order.Order, batches map[int16]int64) *refundColumns {
	c := &refundColumns{base: planned[0].TS, sightings: sightings{}}
	seen := make(map[order.Key]struct{}, len(planned))
	for i := range planned {
		r := &planned[i].Refund
		c.add(r, batches[r.Project])
		if _, again := seen[r.OrderKey()]; !again && r.Order != uuid.Nil {
			seen[r.OrderKey()] = struct{}{}
			c.before.addOrder(orders[r.OrderKey()])
		}
	}
	return c
}

func (c *refundColumns) add(r *order.Refund, batch int64) {
	c.project, c.id, c.order = append(c.project, r.Project), append(c.id, r.ID), append(c.order, r.Order)
	c.ts, c.user, c.batch = append(c.ts, r.TS), append(c.user, r.User), append(c.batch, batch)
	c.sightings.add(r.Project, r.User, r.TS)
	c.epochs.add(r.Project, r.Epoch)
	c.count, c.currency = append(c.count, int16(len(r.Lines))), append(c.currency, r.Currency)
	c.number, c.reason = append(c.number, optional(r.Number)), append(c.reason, optional(r.Reason))
	c.hash, c.facts = append(c.hash, r.ContentHash[:]), append(c.facts, r.AppendFacts(nil, c.base))
	for _, l := range r.Lines {
		c.lines.project, c.lines.refund, c.lines.id = append(c.lines.project, r.Project), append(c.lines.refund, r.ID), append(c.lines.id, r.Order)
		c.lines.line, c.lines.product = append(c.lines.line, l.Line), append(c.lines.product, l.Product)
		c.lines.units, c.lines.amount = append(c.lines.units, int32(l.Units)), append(c.lines.amount, l.AmountMinor)
	}
}

func (c *refundedColumns) addOrder(o order.Order) {
	for i := range o.Lines {
		c.project, c.id, c.line = append(c.project, o.Project), append(c.id, o.ID), append(c.line, int16(i+1))
		c.units, c.amount = append(c.units, int32(o.Lines[i].RefundedUnits)), append(c.amount, o.Lines[i].RefundedMinor)
	}
}
