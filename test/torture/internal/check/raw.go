package check

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/ledger"
)

// events compares the raw events with the acknowledged ones: each must be stored exactly once, as it was sent.
func (c *Checker) events(ctx context.Context) ([]string, error) {
	rows, err := c.DB.Query(ctx, `
		SELECT e.id, e.ts, coalesce(p.id, $1), u.id, n.name, coalesce(e.properties::text, ''), e.batch::text
		FROM ingest.events AS e
		LEFT JOIN catalog.products AS p ON p.n = e.product
		JOIN ingest.users AS u ON u.n = e.user_n
		JOIN ingest.names AS n ON n.project = e.project AND n.n = e.name`, uuid.Nil)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	r := rawRows{what: "event", seen: map[uuid.UUID]int{}, stored: c.Account.Stored}
	var e ledger.Event
	var batch string
	_, err = pgx.ForEachRow(rows, []any{&e.ID, &e.TS, &e.ProductID, &e.UserID, &e.Type, &e.Properties, &batch}, func() error {
		sent, ok := c.Account.Events[e.ID]
		if r.row(e.ID, batch, ok) && !sameEvent(sent, e) {
			r.find("event %s was sent as %+v and is stored as %+v", e.ID, sent, e)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	for id := range c.Account.Events {
		r.acknowledged(id)
	}
	return r.findings, nil
}

func sameEvent(sent, stored ledger.Event) bool {
	return stored.TS.Equal(sent.TS) && stored.ProductID == sent.ProductID && stored.UserID == sent.UserID &&
		stored.Type == sent.Type && sameJSON(sent.Properties, stored.Properties)
}

// sameJSON compares documents by their values, because Postgres formats them in its own way.
func sameJSON(a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// wanted returns all acknowledged orders. A purchase is an order of one line.
func (c *Checker) wanted() map[uuid.UUID]ledger.Order {
	all := map[uuid.UUID]ledger.Order{}
	maps.Copy(all, c.Account.Orders)
	for id, p := range c.Account.Purchases {
		all[id] = ledger.Order{
			ID: id, TS: p.TS, UserID: p.UserID, Currency: p.Currency,
			Lines: []ledger.Line{{ProductID: p.ProductID, Quantity: p.Quantity, AmountMinor: p.AmountMinor}},
		}
	}
	return all
}

// orders compares the orders in the same way.
func (c *Checker) orders(ctx context.Context) ([]string, error) {
	rows, err := c.DB.Query(ctx, `
		SELECT o.id, o.ts, u.id, o.currency, o.batch::text,
			(SELECT jsonb_agg(jsonb_build_object('ProductID', p.id, 'Quantity', l.quantity, 'AmountMinor', l.amount_minor) ORDER BY l.line)
			 FROM ingest.order_lines AS l
			 JOIN catalog.products AS p ON p.n = l.product
			 WHERE l.project = o.project AND l.order_id = o.id)
		FROM ingest.orders AS o
		JOIN ingest.users AS u ON u.n = o.user_n`)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	r, wanted := rawRows{what: "order", seen: map[uuid.UUID]int{}, stored: c.Account.Stored}, c.wanted()
	var o ledger.Order
	var batch string
	_, err = pgx.ForEachRow(rows, []any{&o.ID, &o.TS, &o.UserID, &o.Currency, &batch, &o.Lines}, func() error {
		sent, ok := wanted[o.ID]
		if r.row(o.ID, batch, ok) && !sameOrder(sent, o) {
			r.find("order %s was sent as %+v and is stored as %+v", o.ID, sent, o)
		}
		o.Lines = nil
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	for id := range wanted {
		r.acknowledged(id)
	}
	return r.findings, nil
}

func sameOrder(sent, stored ledger.Order) bool {
	return stored.TS.Equal(sent.TS) && stored.UserID == sent.UserID && stored.Currency == sent.Currency && slices.Equal(stored.Lines, sent.Lines)
}

// refunds compares the refunds in the same way.
func (c *Checker) refunds(ctx context.Context) ([]string, error) {
	rows, err := c.DB.Query(ctx, `
		SELECT r.id, r.order_id, r.ts, r.batch::text,
			(SELECT jsonb_object_agg(l.line, jsonb_build_object('Units', l.units, 'AmountMinor', l.amount_minor))
			 FROM ingest.refund_lines AS l
			 WHERE l.project = r.project AND l.refund_id = r.id)
		FROM ingest.refunds AS r`)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	r := rawRows{what: "refund", seen: map[uuid.UUID]int{}, stored: c.Account.Stored}
	var got ledger.Refund
	var batch string
	_, err = pgx.ForEachRow(rows, []any{&got.ID, &got.OrderID, &got.TS, &batch, &got.Lines}, func() error {
		sent, ok := c.Account.Refunds[got.ID]
		if r.row(got.ID, batch, ok) && !sameRefund(sent, got) {
			r.find("refund %s was sent as %+v and is stored as %+v", got.ID, sent, got)
		}
		got.Lines = nil
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	for id := range c.Account.Refunds {
		r.acknowledged(id)
	}
	return r.findings, nil
}

func sameRefund(sent, stored ledger.Refund) bool {
	return stored.TS.Equal(sent.TS) && stored.OrderID == sent.OrderID && maps.Equal(stored.Lines, sent.Lines)
}

// rawRows collects the findings about the rows of a table.
type rawRows struct {
	what     string
	seen     map[uuid.UUID]int
	stored   map[uuid.UUID]string // the batch that a row must be in, if that is known
	findings []string
}

func (r *rawRows) find(format string, args ...any) {
	r.findings = append(r.findings, fmt.Sprintf(format, args...))
}

// row records a row and reports whether to compare its content.
func (r *rawRows) row(id uuid.UUID, batch string, acknowledged bool) bool {
	r.seen[id]++
	if !acknowledged {
		r.find("%s %s is stored and nobody has sent it, or it was refused", r.what, id)
		return false
	}
	if n := r.seen[id]; n > 1 {
		r.find("%s %s is stored %d times", r.what, id, n)
	}
	if want, ok := r.stored[id]; ok && want != batch {
		r.find("%s %s is in batch %s, and its client was told %s", r.what, id, batch, want)
	}
	return true
}

// acknowledged checks that an acknowledged item has a row.
func (r *rawRows) acknowledged(id uuid.UUID) {
	if r.seen[id] == 0 {
		r.find("%s %s was acknowledged and is lost", r.what, id)
	}
}
