// Package ledger records what the clients of a run sent and how they were answered, and detects answers that cannot be
// true. Afterwards the database is compared with it.
package ledger

import (
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Event is an event as the client knows it.
type Event struct {
	ID         uuid.UUID
	TS         time.Time
	ProductID  uuid.UUID // uuid.Nil for none
	UserID     string
	Type       string
	Properties string // a JSON object, or empty
}

// Purchase is a purchase as the client knows it. Without an ID the server assigns one; then Key is required.
type Purchase struct {
	ID          uuid.UUID
	TS          time.Time // zero for the time of arrival
	ProductID   uuid.UUID
	UserID      string
	Quantity    int64
	AmountMinor int64
	Currency    string
	Key         string // the Idempotency-Key
}

// Order is an order as the client knows it.
type Order struct {
	ID       uuid.UUID
	TS       time.Time
	UserID   string
	Currency string
	Lines    []Line
}

// Line is a line of an order. The lines are numbered from 1.
type Line struct {
	ProductID   uuid.UUID
	Quantity    int64
	AmountMinor int64
}

// Refund is a refund as the client knows it: what it pays back of each line of the order.
type Refund struct {
	ID      uuid.UUID
	OrderID uuid.UUID
	TS      time.Time
	Lines   map[int]Back
}

// Back is what is paid back of a line.
type Back struct {
	Units       int64
	AmountMinor int64
}

// Request is the content of one request: events, a purchase, an order or a refund. Every attempt sends the same content.
type Request struct {
	Events   []Event        // the valid ones, in order; some more than once
	Bad      map[int]string // the code of each event that must be refused, by its position among all events
	Purchase *Purchase
	Order    *Order
	Refund   *Refund
}

// Ledger is the record of a run. It is safe for concurrent use.
type Ledger struct {
	mu        sync.Mutex
	events    map[uuid.UUID]*eventEntry
	purchases map[string]*purchaseEntry // by key, or by id if it has none
	orders    map[uuid.UUID]*orderEntry
	refunds   map[uuid.UUID]*refundEntry
	batches   map[string]struct{} // named by an answer
	problems  []string
}

// entry is the knowledge of an event or a purchase.
type entry struct {
	attempts     int  // begun
	open         int  // not ended yet
	doubt        bool // an attempt ended without an answer, so it may be stored
	acknowledged bool
}

type eventEntry struct {
	entry
	event    Event
	accepted int    // answers that reported it as new
	batch    string // the batch that it is stored in, if an answer proves it
}

type purchaseEntry struct {
	entry
	purchase Purchase
	answer   PurchaseAnswer // the first
}

type orderEntry struct {
	entry
	order  Order
	answer OrderAnswer // the first
}

type refundEntry struct {
	entry
	refund Refund
	answer OrderAnswer // the first
}

// New returns an empty ledger.
func New() *Ledger {
	return &Ledger{
		events: map[uuid.UUID]*eventEntry{}, purchases: map[string]*purchaseEntry{}, orders: map[uuid.UUID]*orderEntry{},
		refunds: map[uuid.UUID]*refundEntry{}, batches: map[string]struct{}{},
	}
}

// maxProblems bounds the number of problems that are kept.
const maxProblems = 100

// problem records a violation. The caller holds the lock.
func (l *Ledger) problem(format string, args ...any) {
	if len(l.problems) < maxProblems {
		l.problems = append(l.problems, fmt.Sprintf(format, args...))
	}
}

// Problem records an answer that violates the contract.
func (l *Ledger) Problem(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problem(format, args...)
}

// name returns the key of a purchase in Ledger.purchases.
func (p *Purchase) name() string {
	if p.Key != "" {
		return p.Key
	}
	return p.ID.String()
}

func (l *Ledger) event(e Event) *eventEntry {
	found := l.events[e.ID]
	if found == nil {
		found = &eventEntry{event: e}
		l.events[e.ID] = found
	}
	return found
}

func (l *Ledger) purchase(p Purchase) *purchaseEntry {
	found := l.purchases[p.name()]
	if found == nil {
		found = &purchaseEntry{purchase: p}
		l.purchases[p.name()] = found
	}
	return found
}

func (l *Ledger) order(o Order) *orderEntry {
	found := l.orders[o.ID]
	if found == nil {
		found = &orderEntry{order: o}
		l.orders[o.ID] = found
	}
	return found
}

func (l *Ledger) refund(r Refund) *refundEntry {
	found := l.refunds[r.ID]
	if found == nil {
		found = &refundEntry{refund: r}
		l.refunds[r.ID] = found
	}
	return found
}
