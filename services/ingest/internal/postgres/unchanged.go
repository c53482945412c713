package postgres

import (
	"time"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// unchanged is a condition on the columns product and sku of the row sent: its product has this SKU. A product that is named by
// its id needs no check, because no product is ever deleted or moved to another project. LIMIT makes it one look-up by key for
// each row.
const unchanged = `coalesce((
	SELECT p.sku = sent.sku
	FROM catalog.products AS p
	WHERE p.n = sent.product
	LIMIT 1), false)`

// unchangedLine is a condition on the row sent of a line of an order: unchanged, and the price of its product in the order's currency
// is the one that its amount was computed from. It reads the catalog in the snapshot of the statement that stores the row, so no order
// keeps a former price, and the answer of each has the SKU of that moment.
const unchangedLine = `coalesce((
	SELECT sent.sku = p.sku AND (sent.list_price IS NULL OR sent.list_price =
		CASE WHEN p.placeholder THEN NULL WHEN p.currency = sent.currency THEN p.price_minor ELSE (p.prices ->> sent.currency)::bigint END)
	FROM catalog.products AS p
	WHERE p.n = sent.product
	LIMIT 1), false)`

// expired selects a row if users of the project of the row sent were erased since those of its rows were looked up, at its epoch.
// Without erasures the table is empty.
const expired = `SELECT e.project, e.epoch FROM ingest.erasure_epochs AS e WHERE e.project = sent.project AND e.epoch > sent.epoch`

// guess is what the events of a flush take for granted: a product has the SKU by which it was named. Each statement that stores
// events compares it with the catalog in its own snapshot, so that a change of a product counts for every request that begins
// after the change was answered.
type guess struct {
	product int32
	sku     string
}

func guessOf(e *event.Event) guess { return guess{e.Product, e.SKU} }

// newGuesses returns the different ones of some events.
func newGuesses(events []*event.Event) []guess {
	var guesses []guess
	var seen map[guess]struct{}
	for _, e := range events {
		if e.SKU == "" {
			continue
		}
		if seen == nil {
			seen = make(map[guess]struct{})
		}
		if _, again := seen[guessOf(e)]; !again {
			seen[guessOf(e)] = struct{}{}
			guesses = append(guesses, guessOf(e))
		}
	}
	return guesses
}

// wrong is what kept a statement from storing a flush: guesses that did not hold, events that were received before and are counted
// at another time, and projects whose users were erased, with their epochs.
type wrong struct {
	product []int32
	sku     []string
	moved   []movedRow
	project []int16
	epoch   []int64
}

// movedRow is a row of ingest.event_times that moves an event.
type movedRow struct {
	identity

	ts time.Time
}

// obstacles returns the events that cannot be stored as they are; nil if there are none.
func (w *wrong) obstacles(events []event.Event) error {
	if len(w.product) == 0 && len(w.moved) == 0 && len(w.project) == 0 {
		return nil
	}
	epochs := make(map[int16]int64, len(w.project))
	for i, project := range w.project {
		epochs[project] = w.epoch[i]
	}
	changed := make(map[guess]struct{}, len(w.product))
	for i := range w.product {
		changed[guess{w.product[i], w.sku[i]}] = struct{}{}
	}
	moved := make(map[identity]time.Time, len(w.moved))
	for _, row := range w.moved {
		moved[row.identity] = row.ts
	}
	obstacles := event.BlockedError{}
	for i := range events {
		if _, blocked := changed[guessOf(&events[i])]; blocked {
			obstacles[i] = event.ErrProductChanged
		} else if ts, blocked := moved[identityOf(&events[i].Fact)]; blocked {
			obstacles[i] = event.ClampedError{TS: ts}
		} else if epoch := epochs[events[i].Project]; events[i].Epoch < epoch {
			obstacles[i] = event.ExpiredError{Epoch: epoch}
		}
	}
	return obstacles
}
