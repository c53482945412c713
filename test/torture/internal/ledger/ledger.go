// Package ledger keeps the clients' own account of a run: what they sent, what they were told, and whether what they were
// told can be true. It is what the database is held against afterwards.
package ledger

import (
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Event is an event as its client knows it.
type Event struct {
	ID         uuid.UUID
	TS         time.Time
	ProductID  uuid.UUID
	UserID     string
	Type       string
	Properties string // a JSON object, or empty
}

// Purchase is a purchase as its client knows it. Without an ID the server makes one; then Key must be there.
type Purchase struct {
	ID          uuid.UUID
	TS          time.Time // zero if the server is to take the time of arrival
	ProductID   uuid.UUID
	UserID      string
	Quantity    int64
	AmountMinor int64
	Currency    string
	Key         string // the Idempotency-Key
}

// Request is what one request holds: events, or a purchase. Sent again it is the same.
type Request struct {
	Events   []Event        // the good ones, in order; some more than once
	Bad      map[int]string // the position among all events of each that must be refused, and the code of why
	Purchase *Purchase
}

// Ledger is the account. It is safe for concurrent use.
type Ledger struct {
	mu        sync.Mutex
	events    map[uuid.UUID]*eventEntry
	purchases map[string]*purchaseEntry // by key, or by id if it has none
	batches   map[uuid.UUID]struct{}    // that an answer has named
	problems  []string
}

// entry is what is known of an event or a purchase.
type entry struct {
	attempts     int  // begun
	open         int  // begun and not ended
	doubt        bool // an attempt ended without an answer: it may be stored
	acknowledged bool
}

type eventEntry struct {
	entry
	event    Event
	accepted int       // answers that said it was new
	batch    uuid.UUID // that it was stored in, if an answer told for certain
}

type purchaseEntry struct {
	entry
	purchase Purchase
	answer   PurchaseAnswer // the first
}

// New returns an empty ledger.
func New() *Ledger {
	return &Ledger{events: map[uuid.UUID]*eventEntry{}, purchases: map[string]*purchaseEntry{}, batches: map[uuid.UUID]struct{}{}}
}

// maxProblems bounds what is kept of problems; nobody reads more.
const maxProblems = 100

// problem notes something that must not be. The caller holds the lock.
func (l *Ledger) problem(format string, args ...any) {
	if len(l.problems) < maxProblems {
		l.problems = append(l.problems, fmt.Sprintf(format, args...))
	}
}

// Problem notes an answer that must not be.
func (l *Ledger) Problem(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problem(format, args...)
}

// name returns what a purchase is found by.
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
