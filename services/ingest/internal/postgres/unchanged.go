package postgres

import (
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// unchanged is a condition on the columns product_id and sku of the row sent: its product takes events and, unless sku is
// empty, has this SKU. LIMIT makes it one look-up in the primary key for each row.
const unchanged = `coalesce((
	SELECT ` + takesItem + ofProduct

// unchangedOrder is a condition on the row sent: unchanged, and the price of its product is the one that its amount was computed
// from. It reads the catalog in the snapshot of the statement that stores the row, so no purchase keeps a former price.
const unchangedOrder = `coalesce((
	SELECT ` + takesItem + ` AND coalesce(sent.list_price = p.price_minor, true)` + ofProduct

// The parts that both conditions have.
const (
	takesItem = `p.status = 'active' AND sent.sku IN ('', p.sku)`
	ofProduct = `
	FROM catalog.products AS p
	WHERE p.id = sent.product_id
	LIMIT 1), false)`
)

// guess is what the events of a flush take for granted: a product takes events, under the SKU by which it was named. Each
// statement that stores events compares it with the catalog in its own snapshot, so that a change of a product counts for
// every request that begins after the change was answered.
type guess struct {
	product uuid.UUID
	sku     string // empty if the product was named by its id
}

func guessOf(e *event.Event) guess { return guess{e.ProductID, e.SKU} }

// guesses are the different ones of some events, as arrays.
type guesses struct {
	product [][16]byte
	sku     []string
}

func newGuesses(events []*event.Event) guesses {
	var g guesses
	seen := make(map[guess]struct{})
	for _, e := range events {
		if _, again := seen[guessOf(e)]; !again {
			seen[guessOf(e)] = struct{}{}
			g.product, g.sku = append(g.product, e.ProductID), append(g.sku, e.SKU)
		}
	}
	return g
}

// wrong are the guesses of a flush that did not hold, as a statement returns them.
type wrong struct {
	product []uuid.UUID
	sku     []string
}

// obstacles returns the events whose guess was wrong; nil if all held.
func (w *wrong) obstacles(events []event.Event) error {
	if len(w.product) == 0 {
		return nil
	}
	all := make(map[guess]struct{}, len(w.product))
	for i := range w.product {
		all[guess{w.product[i], w.sku[i]}] = struct{}{}
	}
	obstacles := event.BlockedError{}
	for i := range events {
		if _, changed := all[guessOf(&events[i])]; changed {
			obstacles[i] = event.ErrProductChanged
		}
	}
	return obstacles
}
