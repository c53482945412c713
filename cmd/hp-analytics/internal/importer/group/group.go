// Package group makes items of facts: an event or a product is one fact, and an order or a refund has those of all rows with its
// number. It decides which ids they have.
package group

import (
	"container/list"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/mapping"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/source"
)

// maxHeldBytes bounds the text of the rows of open orders.
const maxHeldBytes = 64 << 20

// Item is what is sent as one: it is stored as a whole or refused as a whole.
type Item struct {
	Kind mapping.Kind
	// ID identifies it for ever: the number in the file, or else made of the content. Of a product it is the SKU.
	ID string
	// Derived says that the ID was made of the content.
	Derived bool
	Facts   []mapping.Fact // at least one; those of an order are in an order that does not depend on that of the rows
	Rows    []*source.Row  // of the facts, in the order of the file
	// Reason is why it cannot be sent; empty for most.
	Reason string
}

// Groups collects the rows of each order and refund. Rows of one order may lie apart, but not by more than a window of rows: then
// the order is complete. Later rows with its number make another item with the same id, which the platform refuses as a conflict.
type Groups struct {
	window int64
	open   map[key]*list.Element
	order  *list.List // of *members; the one that got a row most recently is last
	held   int
	// unread says that the last row could not be read, so that it may belong to what comes next.
	unread bool
}

type key struct {
	number string
	order  string // of a refund
}

type members struct {
	key    key
	kind   mapping.Kind // of its first row
	facts  []mapping.Fact
	rows   []*source.Row // of the facts
	bad    []*source.Row // which are no facts, with their Err
	last   int64         // number of its last row
	bytes  int
	reason string // why it is refused, if a row beside it cannot be read
}

// NewGroups returns groups that are complete when no row of theirs was among the last window rows.
func NewGroups(window int64) *Groups {
	return &Groups{window: window, open: map[key]*list.Element{}, order: list.New()}
}

// Add adds a fact with a number and returns the items that were complete before. A row with an Err is no fact, and the order with
// its number is refused: without the row it would be another order.
func (g *Groups) Add(row *source.Row, f mapping.Fact) []Item {
	completed := g.Complete(row.Number)
	k := key{f.Number, f.Order}
	element, ok := g.open[k]
	if ok {
		g.order.MoveToBack(element)
	} else {
		element = g.order.PushBack(&members{key: k, kind: f.Kind})
		g.open[k] = element
	}
	m := membersOf(element)
	if row.Err != nil {
		m.bad = append(m.bad, row)
	} else {
		m.facts, m.rows = append(m.facts, f), append(m.rows, row)
	}
	if g.unread {
		m.reason, g.unread = besideUnread, false
	}
	m.last, m.bytes, g.held = row.Number, m.bytes+len(row.Text), g.held+len(row.Text)
	return completed
}

const besideUnread = "incomplete: a row beside it cannot be read and may belong to it"

// Unread says that a row cannot be read, not even its number. It may belong to the order before it or behind it, and both are
// refused: an order is stored as a whole, and its lines cannot be added later.
func (g *Groups) Unread() {
	if last := g.order.Back(); last != nil {
		membersOf(last).reason = besideUnread
	}
	g.unread = true
}

func membersOf(element *list.Element) *members {
	return element.Value.(*members) //nolint:errcheck,forcetypeassert // the list has nothing else
}

// Complete returns the items that are complete when the file is read up to a row.
func (g *Groups) Complete(row int64) (items []Item) {
	for {
		oldest := g.order.Front()
		if oldest == nil {
			return items
		}
		m := membersOf(oldest)
		if row-m.last <= g.window && g.held <= maxHeldBytes {
			return items
		}
		items = append(items, g.close(oldest, m)...)
	}
}

// Rest returns the items that are open at the end of the file.
func (g *Groups) Rest() (items []Item) {
	for oldest := g.order.Front(); oldest != nil; oldest = g.order.Front() {
		items = append(items, g.close(oldest, membersOf(oldest))...)
	}
	return items
}

func (g *Groups) close(element *list.Element, m *members) []Item {
	g.order.Remove(element)
	delete(g.open, m.key)
	g.held -= m.bytes
	return m.items()
}
