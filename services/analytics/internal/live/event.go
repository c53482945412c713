package live

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Event is a stored event with the texts that its numbers stand for.
type Event struct {
	TS          time.Time
	ID          uuid.UUID
	Type        string
	UserID      string // empty for a visitor, and for nobody
	AnonymousID string // empty for a user
	ProductID   uuid.UUID
	SKU         string // empty without a product
}

// Batch is what one write to a project has stored.
type Batch struct {
	Project  int16
	ID       int64
	Received time.Time
	Rows     int     // how many events it has
	Events   []Event // those that were found, in the order of ts and id
}

// Source reads what was committed.
type Source interface {
	// CommittedUntil returns a time: every batch received before it is committed and can be read.
	CommittedUntil(ctx context.Context) (time.Time, error)
	// Batches returns the batches of events of some projects that lie behind a position, and that were received before a time, in the
	// order of positions. The first of them can be one whose begin is before the position. A read is bounded; complete says that there are
	// no more of them.
	Batches(ctx context.Context, projects []int16, after Position, until time.Time) (batches []Batch, complete bool, err error)
}

// Filter says which events somebody looks at. Empty fields let everything through.
type Filter struct {
	Type    string
	User    string // the user id or the anonymous id
	Product uuid.UUID
	SKU     string
}

// passes reports whether an event is looked at.
func (f Filter) passes(e Event) bool {
	return (f.Type == "" || f.Type == e.Type) && (f.User == "" || f.User == e.UserID || f.User == e.AnonymousID) &&
		(f.Product == uuid.Nil || f.Product == e.ProductID) && (f.SKU == "" || f.SKU == e.SKU)
}

// Kind says what an item of the stream is.
type Kind int

// The kinds of items.
const (
	Stored  Kind = iota // an event
	Omitted             // Count events were stored that are not shown one by one
	Gap                 // Count events were missed, which is -1 if it is not known how many
)

// Item is an item of the stream of a project.
type Item struct {
	Kind     Kind
	Position Position
	Batch    int64 // of Stored
	Event    Event // of Stored
	Count    int64 // of the others
}

// itemsOf returns the items of a batch that are behind a position.
func itemsOf(b Batch, after Position) []Item {
	items := make([]Item, 0, len(b.Events)+1)
	for _, e := range b.Events {
		p := Position{Received: b.Received, Batch: b.ID, TS: e.TS, Event: e.ID}
		if p.Compare(after) > 0 {
			items = append(items, Item{Kind: Stored, Position: p, Batch: b.ID, Event: e})
		}
	}
	if missing := b.Rows - len(b.Events); missing > 0 && endOf(b).Compare(after) > 0 {
		items = append(items, Item{Kind: Omitted, Position: endOf(b), Count: int64(missing)})
	}
	return items
}
