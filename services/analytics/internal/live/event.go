package live

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Sort says what something stored is.
type Sort int

// The sorts.
const (
	Plain Sort = iota // an event
	Order             // an order or a purchase
	Refund
)

// Event is a stored event, order or refund, with the texts that its numbers stand for.
type Event struct {
	TS          time.Time
	ID          uuid.UUID
	Type        string // empty for an order and a refund
	UserID      string // empty for a visitor, and for nobody
	AnonymousID string // empty for a user
	ProductID   uuid.UUID
	SKU         string // empty without a product
	Money       *Money // of an order and a refund
}

// MaxLines is how many lines of an order or refund the stream shows.
const MaxLines = 20

// Money is what an order or a refund has besides.
type Money struct {
	Order       uuid.UUID // of a refund; uuid.Nil for none
	Number      string    // the client's own id; empty for none
	Currency    string
	AmountMinor int64  // of all lines
	Count       int    // how many lines there are
	Lines       []Line // the first MaxLines of them
}

// Line is one of an order or a refund.
type Line struct {
	ProductID   uuid.UUID
	SKU         string
	Units       int64
	AmountMinor int64
}

// Batch is what one write to a project has stored.
type Batch struct {
	Project  int16
	ID       int64
	Sort     Sort // of all its events
	Received time.Time
	Rows     int     // how many events it has, or lines of orders or refunds
	Events   []Event // those that were found, in the order of ts and id
}

// Source reads what was committed.
type Source interface {
	// CommittedUntil returns a time: every batch received before it is committed and can be read.
	CommittedUntil(ctx context.Context) (time.Time, error)
	// Batches returns the batches of some projects that lie behind a position, and that were received before a time, in the
	// order of positions. The first of them can be one whose begin is before the position. A read is bounded; complete says that there are
	// no more of them.
	Batches(ctx context.Context, projects []int16, after Position, until time.Time) (batches []Batch, complete bool, err error)
}

// Filter says what somebody looks at. Empty fields let everything through.
type Filter struct {
	Sort    *Sort
	Type    string // of events; no order or refund has one
	User    string // the user id or the anonymous id
	Product uuid.UUID
	SKU     string
}

// passes reports whether an item is looked at.
func (f Filter) passes(item Item) bool {
	e := item.Event
	if f.Sort != nil && *f.Sort != item.Sort || f.Type != "" && f.Type != e.Type || f.User != "" && f.User != e.UserID && f.User != e.AnonymousID {
		return false
	}
	if e.Money == nil {
		return f.hasProduct(e.ProductID, e.SKU)
	}
	return slices.ContainsFunc(e.Money.Lines, func(l Line) bool { return f.hasProduct(l.ProductID, l.SKU) })
}

func (f Filter) hasProduct(id uuid.UUID, sku string) bool {
	return (f.Product == uuid.Nil || f.Product == id) && (f.SKU == "" || f.SKU == sku)
}

// Kind says what an item of the stream is.
type Kind int

// The kinds of items.
const (
	Stored  Kind = iota // an event, an order or a refund
	Omitted             // Count events were stored that are not shown one by one, or lines of orders or refunds
	Gap                 // Count items were missed, which is -1 if it is not known how many
)

// Item is an item of the stream of a project.
type Item struct {
	Kind     Kind
	Position Position
	Sort     Sort  // of Stored and Omitted
	Batch    int64 // of Stored
	Event    Event // of Stored
	Count    int64 // of the others
}

// itemsOf returns the items of a batch that are behind a position.
func itemsOf(b Batch, after Position) []Item {
	items := make([]Item, 0, len(b.Events)+1)
	missing := b.Rows
	for _, e := range b.Events {
		if e.Money == nil {
			missing--
		} else {
			missing -= e.Money.Count
		}
		p := Position{Received: b.Received, Batch: b.ID, TS: e.TS, Event: e.ID}
		if p.Compare(after) > 0 {
			items = append(items, Item{Kind: Stored, Position: p, Sort: b.Sort, Batch: b.ID, Event: e})
		}
	}
	if missing > 0 && endOf(b).Compare(after) > 0 {
		items = append(items, Item{Kind: Omitted, Position: endOf(b), Sort: b.Sort, Count: int64(missing)})
	}
	return items
}
