package ledger

import "github.com/google/uuid"

// Attempt is one attempt to send a request. It ends with exactly one of Lost, Event, Bulk, Purchase, Order, Refund and Refused.
type Attempt struct {
	ledger  *Ledger
	request *Request
	entries []*entry      // one for each different item
	events  []*eventEntry // the same, if they are events
	before  []state
}

// state is the knowledge of an item at the start of an attempt.
type state struct {
	known bool // acknowledged, so it is stored
	alone bool // no earlier attempt can have stored it
	count int  // of attempts, this one included
}

// Begin records that a request is about to be sent.
func (l *Ledger) Begin(r *Request) *Attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &Attempt{ledger: l, request: r}
	if r.Purchase != nil {
		a.entries = append(a.entries, &l.purchase(*r.Purchase).entry)
	}
	if r.Order != nil {
		a.entries = append(a.entries, &l.order(*r.Order).entry)
	}
	if r.Refund != nil {
		a.entries = append(a.entries, &l.refund(*r.Refund).entry)
	}
	seen := map[uuid.UUID]struct{}{}
	for _, e := range r.Events {
		if _, again := seen[e.ID]; again {
			continue
		}
		seen[e.ID] = struct{}{}
		found := l.event(e)
		a.events, a.entries = append(a.events, found), append(a.entries, &found.entry)
	}
	for _, e := range a.entries {
		a.before = append(a.before, state{known: e.acknowledged, alone: !e.doubt && e.open == 0, count: e.attempts + 1})
		e.attempts++
		e.open++
	}
	return a
}

// Lost ends an attempt without an answer, or with an answer that does not tell whether anything was stored.
func (a *Attempt) Lost() {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	for _, e := range a.entries {
		e.open--
		e.doubt = true
	}
}

// outlook is what the answer must report for an item.
type outlook int

const (
	mustBeNew outlook = iota
	mustBeKnown
	mayBeEither // another attempt may have stored it
)

// acknowledge ends the attempt and returns what its answer must report for each item. The caller holds the lock.
func (a *Attempt) acknowledge() []outlook {
	expected := make([]outlook, len(a.entries))
	for i, e := range a.entries {
		e.open--
		switch {
		case a.before[i].known:
			expected[i] = mustBeKnown
		case a.before[i].alone && e.attempts == a.before[i].count:
			expected[i] = mustBeNew
		default:
			expected[i] = mayBeEither
		}
		e.acknowledged = true
	}
	return expected
}
