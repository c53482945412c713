package check

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/ledger"
)

// events compares the raw events with the acknowledged ones: each must be stored exactly once, as it was sent.
func (c *Checker) events(ctx context.Context) ([]string, error) {
	rows, err := c.DB.Query(ctx, `SELECT id, ts, product_id, user_id, type, coalesce(properties::text, ''), batch_id FROM ingest.events`)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	r := rawRows{what: "event", seen: map[uuid.UUID]int{}, stored: c.Account.Stored}
	var e ledger.Event
	var batch uuid.UUID
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

// purchases compares the purchases in the same way.
func (c *Checker) purchases(ctx context.Context) ([]string, error) {
	rows, err := c.DB.Query(ctx, `SELECT id, ts, product_id, user_id, quantity, amount_minor, currency, batch_id FROM ingest.purchases`)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	r := rawRows{what: "purchase", seen: map[uuid.UUID]int{}, stored: c.Account.Stored}
	var p ledger.Purchase
	var batch uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&p.ID, &p.TS, &p.ProductID, &p.UserID, &p.Quantity, &p.AmountMinor, &p.Currency, &batch}, func() error {
		sent, ok := c.Account.Purchases[p.ID]
		if r.row(p.ID, batch, ok) && !samePurchase(sent, p) {
			r.find("purchase %s was sent as %+v and is stored as %+v", p.ID, sent, p)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	for id := range c.Account.Purchases {
		r.acknowledged(id)
	}
	return r.findings, nil
}

func samePurchase(sent, stored ledger.Purchase) bool {
	if !stored.TS.Equal(sent.TS) {
		return false
	}
	sent.TS, sent.Key = stored.TS, "" // equal times may have different representations; the row does not hold the key
	return stored == sent
}

// rawRows collects the findings about the rows of a table.
type rawRows struct {
	what     string
	seen     map[uuid.UUID]int
	stored   map[uuid.UUID]uuid.UUID // the batch that a row must be in, if that is known
	findings []string
}

func (r *rawRows) find(format string, args ...any) {
	r.findings = append(r.findings, fmt.Sprintf(format, args...))
}

// row records a row and reports whether to compare its content.
func (r *rawRows) row(id, batch uuid.UUID, acknowledged bool) bool {
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
