package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/history"
)

// rawOrder is an order or a refund in numbers.
type rawOrder struct {
	ts         time.Time
	id         uuid.UUID
	user       int64
	batch      int64
	receivedAt time.Time
	currency   string
	order      uuid.UUID       // of a refund
	text       string          // the number of an order, the reason of a refund
	properties json.RawMessage // of an order
	line       rawLine         // in an export
}

// rawLine is a line in numbers.
type rawLine struct {
	history.Line

	product int32
}

const (
	rawOrderColumns  = `o.ts, o.id, o.user_n, o.batch, o.received_at, o.currency, NULL::uuid, coalesce(o.number, ''), o.properties`
	rawRefundColumns = `o.ts, o.id, o.user_n, o.batch, o.received_at, o.currency, o.order_id, coalesce(o.reason, ''), NULL::jsonb`

	rawOrderLines  = `l.line, l.product, l.quantity, l.amount_minor, l.refunded_units, l.refunded_minor`
	rawRefundLines = `l.line, l.product, l.units, l.amount_minor, 0, 0::bigint`
)

// targets are what the columns of an order are scanned into; order of an order stays zero.
func (o *rawOrder) targets(order *uuid.NullUUID) []any {
	return []any{&o.ts, &o.id, &o.user, &o.batch, &o.receivedAt, &o.currency, order, &o.text, &o.properties}
}

func (l *rawLine) targets() []any {
	return []any{&l.Number, &l.product, &l.Units, &l.AmountMinor, &l.RefundedUnits, &l.RefundedMinor}
}

// newestQuery returns up to rows orders or refunds of users before a position, newest first. Each user's are read by an index
// (user_n, ts).
func newestQuery(table, columns string, users []int64, q history.Timeline, at history.Position, rows int) query {
	var stmt query
	to := q.Range.To
	if to.IsZero() {
		to = farFuture
	}
	limit := " LIMIT " + stmt.arg(rows)
	stmt.text = "SELECT l.* FROM unnest(" + stmt.arg(arrayOf(users)) + "::bigint[]) u(n) CROSS JOIN LATERAL (SELECT " + columns +
		" FROM " + table + " o WHERE o.user_n = u.n AND o.project = " + stmt.arg(q.Project) + " AND o.ts >= " + stmt.arg(q.Range.From) +
		" AND o.ts < " + stmt.arg(to) + " AND (o.ts, o.id) < (" + stmt.arg(at.TS) + ", " + stmt.arg(at.ID) + "::uuid)" +
		" ORDER BY o.ts DESC, o.id DESC" + limit + ") l ORDER BY l.ts DESC, l.id DESC" + limit
	return stmt
}

// The lines of some orders or refunds.
const (
	linesOfOrders  = `SELECT l.order_id, ` + rawOrderLines + ` FROM ingest.order_lines l WHERE l.project = $1 AND l.order_id = ANY ($2) ORDER BY l.order_id, l.line`
	linesOfRefunds = `SELECT l.refund_id, ` + rawRefundLines + ` FROM ingest.refund_lines l WHERE l.project = $1 AND l.refund_id = ANY ($2) ORDER BY l.refund_id, l.line`
)

func (s *Store) orderPage(ctx context.Context, q history.Timeline, users []int64) (history.Page, error) {
	return s.newest(ctx, history.Orders, q, users, "ingest.orders", rawOrderColumns, linesOfOrders)
}

func (s *Store) refundPage(ctx context.Context, q history.Timeline, users []int64) (history.Page, error) {
	return s.newest(ctx, history.Refunds, q, users, "ingest.refunds", rawRefundColumns, linesOfRefunds)
}

// newest returns the orders or the refunds of a timeline after its position, with their lines.
func (s *Store) newest(ctx context.Context, kind history.Kind, q history.Timeline, users []int64, table, columns, lineQuery string) (history.Page, error) {
	at := history.Position{TS: farFuture}
	if q.After != nil {
		at = q.After.Of(kind)
	}
	stmt := newestQuery(table, columns, users, q, at, q.Limit+1)
	found, err := inOrder(ctx, s, stmt, scanRawOrder)
	if err != nil {
		return history.Page{}, fmt.Errorf("read %s: %w", table, err)
	}
	var page history.Page
	if len(found) > q.Limit {
		found = found[:q.Limit]
		last := found[q.Limit-1]
		page.Next = &history.Position{TS: last.ts, Kind: kind, ID: last.id}
	}
	lines, err := readLines(ctx, s.pool, lineQuery, q.Project, found)
	if err != nil {
		return history.Page{}, fmt.Errorf("read the lines of %s: %w", table, err)
	}
	t, err := readTexts(ctx, s.pool, q.Project, ordersWant(found, lines))
	if err != nil {
		return history.Page{}, err
	}
	for _, o := range found {
		page.Items = append(page.Items, t.item(kind, o, lines[o.id]))
	}
	return page, nil
}

func scanRawOrder(row pgx.CollectableRow) (o rawOrder, err error) {
	var order uuid.NullUUID
	err = row.Scan(o.targets(&order)...)
	o.order = order.UUID
	return o, err
}

// readLines returns the lines of orders or refunds by their ids.
func readLines(ctx context.Context, db querier, query string, project int16, of []rawOrder) (map[uuid.UUID][]rawLine, error) {
	lines := map[uuid.UUID][]rawLine{}
	if len(of) == 0 {
		return lines, nil
	}
	ids := make([]uuid.UUID, len(of))
	for i, o := range of {
		ids[i] = o.id
	}
	rows, err := db.Query(ctx, query, project, ids)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		var l rawLine
		if err := rows.Scan(append([]any{&id}, l.targets()...)...); err != nil {
			return nil, err
		}
		lines[id] = append(lines[id], l)
	}
	return lines, rows.Err()
}

// ordersWant returns what orders or refunds have numbers of. They know when they were received.
func ordersWant(orders []rawOrder, lines map[uuid.UUID][]rawLine) wanted {
	w := newWanted()
	for _, o := range orders {
		w.users[o.user] = true
		if o.line.product != 0 {
			w.products[o.line.product] = true
		}
		for _, l := range lines[o.id] {
			w.products[l.product] = true
		}
	}
	return w
}

// item returns an order or a refund of a timeline with its texts.
func (t texts) item(kind history.Kind, o rawOrder, lines []rawLine) history.Item {
	item := history.Item{Position: history.Position{TS: o.ts, Kind: kind, ID: o.id}}
	if kind == history.Refunds {
		item.Refund = new(t.refund(o, lines))
		return item
	}
	item.Order = new(t.order(o, lines))
	return item
}

func (t texts) order(o rawOrder, lines []rawLine) history.Order {
	received := o.receivedAt.UTC()
	return history.Order{
		ID: o.id, Number: o.text, TS: o.ts.UTC(), User: t.users[o.user], Currency: o.currency, Lines: t.lines(lines),
		Receipt: history.Receipt{Batch: o.batch, ReceivedAt: &received}, Properties: o.properties,
	}
}

func (t texts) refund(o rawOrder, lines []rawLine) history.Refund {
	received := o.receivedAt.UTC()
	return history.Refund{
		ID: o.id, Order: o.order, TS: o.ts.UTC(), User: t.users[o.user], Currency: o.currency, Reason: o.text, Lines: t.lines(lines),
		Receipt: history.Receipt{Batch: o.batch, ReceivedAt: &received},
	}
}

func (t texts) lines(stored []rawLine) []history.Line {
	lines := make([]history.Line, len(stored))
	for i, l := range stored {
		lines[i] = l.Line
		lines[i].Product = t.products[l.product]
	}
	return lines
}
