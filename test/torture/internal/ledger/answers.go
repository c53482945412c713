package ledger

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// EventAnswer is the answer to one event.
type EventAnswer struct {
	ID      uuid.UUID `json:"id"`
	BatchID string    `json:"batch_id"`
	Status  string    `json:"status"`
}

// Event ends an attempt whose answer is 202.
func (a *Attempt) Event(answer EventAnswer) {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	a.ledger.batches[answer.BatchID] = struct{}{}
	expected, e := a.acknowledge()[0], a.events[0]
	isNew := answer.Status == "accepted"
	switch {
	case answer.ID != e.event.ID:
		a.ledger.problem("event %s was answered as %s", e.event.ID, answer.ID)
	case !isNew && answer.Status != "duplicate":
		a.ledger.problem("event %s has the status %q", e.event.ID, answer.Status)
	case isNew && expected == mustBeKnown:
		a.ledger.problem("event %s was acknowledged before, and is accepted again", e.event.ID)
	case !isNew && expected == mustBeNew:
		a.ledger.problem("event %s was sent for the first time, and is a duplicate", e.event.ID)
	}
	if isNew {
		a.ledger.accept(e, answer.BatchID)
	}
}

// accept records that an event is certainly stored in a batch. The caller holds the lock.
func (l *Ledger) accept(e *eventEntry, batch string) {
	e.accepted++
	e.batch = batch
	if e.accepted > 1 {
		l.problem("event %s was accepted %d times", e.event.ID, e.accepted)
	}
}

// BulkAnswer is the answer to many events.
type BulkAnswer struct {
	BatchID    string `json:"batch_id"`
	Accepted   int    `json:"accepted"`
	Duplicates int    `json:"duplicates"`
	Rejected   int    `json:"rejected"`
	Errors     []struct {
		Index int    `json:"index"`
		Code  string `json:"code"`
	} `json:"errors"`
}

// Bulk ends an attempt whose answer is 202.
func (a *Attempt) Bulk(answer BulkAnswer) {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	a.ledger.batches[answer.BatchID] = struct{}{}
	isNew, either := 0, 0
	expected := a.acknowledge()
	for _, o := range expected {
		switch o {
		case mustBeNew:
			isNew++
		case mayBeEither:
			either++
		case mustBeKnown:
		}
	}
	if answer.Accepted < isNew || answer.Accepted > isNew+either {
		a.ledger.problem("batch %s: %d accepted, of %d that are new and %d that may be", answer.BatchID, answer.Accepted, isNew, either)
	}
	if got := answer.Accepted + answer.Duplicates; got != len(a.request.Events) {
		a.ledger.problem("batch %s: %d accepted and %d duplicates are not the %d good events that were sent",
			answer.BatchID, answer.Accepted, answer.Duplicates, len(a.request.Events))
	}
	refused := map[int]string{}
	for _, e := range slices.Backward(answer.Errors) { // the first problem of an event counts
		refused[e.Index] = e.Code
	}
	if answer.Rejected != len(a.request.Bad) || !maps.Equal(refused, a.request.Bad) {
		a.ledger.problem("batch %s: refused %v, must be %v", answer.BatchID, refused, a.request.Bad)
	}
	for i, o := range expected {
		if o == mustBeNew || o == mayBeEither && answer.Accepted == isNew+either {
			a.ledger.accept(a.events[i], answer.BatchID)
		}
	}
}

// Refused ends an attempt to send a single invalid event whose answer is 422. code is that of its first problem.
func (a *Attempt) Refused(code string) {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	if want := a.request.Bad[0]; code != want {
		a.ledger.problem("a bad event was refused with %q, must be %q", code, want)
	}
}

// PurchaseAnswer is the answer to a purchase: the purchase as it is stored.
type PurchaseAnswer struct {
	ID          uuid.UUID `json:"id"`
	BatchID     string    `json:"batch_id"`
	ProductID   uuid.UUID `json:"product_id"`
	UserID      string    `json:"user_id"`
	Quantity    int64     `json:"quantity"`
	AmountMinor int64     `json:"amount_minor"`
	Currency    string    `json:"currency"`
	TS          time.Time `json:"ts"`
	ReceivedAt  time.Time `json:"received_at"`
}

// Purchase ends an attempt whose answer is 201; replayed is the value of Idempotency-Replayed.
func (a *Attempt) Purchase(answer PurchaseAnswer, replayed bool) {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	a.ledger.batches[answer.BatchID] = struct{}{}
	p := a.ledger.purchase(*a.request.Purchase)
	first := !p.acknowledged
	expected, name := a.acknowledge()[0], p.purchase.name()
	if first {
		p.answer = answer
	}
	switch {
	case answer != p.answer:
		a.ledger.problem("purchase %s was answered as %+v, and now as %+v", name, p.answer, answer)
	case !p.purchase.is(answer):
		a.ledger.problem("purchase %s was sent as %+v and answered as %+v", name, p.purchase, answer)
	case replayed && expected == mustBeNew:
		a.ledger.problem("purchase %s was sent for the first time, and is a replay", name)
	case !replayed && expected == mustBeKnown:
		a.ledger.problem("purchase %s was acknowledged before, and is stored again", name)
	}
}

// is reports whether an answer describes the purchase.
func (p *Purchase) is(answer PurchaseAnswer) bool {
	return (p.ID == uuid.Nil || answer.ID == p.ID) && (p.TS.IsZero() || answer.TS.Equal(p.TS)) &&
		answer.ProductID == p.ProductID && answer.UserID == p.UserID && answer.Quantity == p.Quantity &&
		answer.AmountMinor == p.AmountMinor && answer.Currency == p.Currency
}

// OrderAnswer is what the answers to an order and to a refund have in common. Lines are not compared here but in the database.
type OrderAnswer struct {
	ID         uuid.UUID `json:"id"`
	BatchID    string    `json:"batch_id"`
	TS         time.Time `json:"ts"`
	ReceivedAt time.Time `json:"received_at"`
}

// Order ends an attempt to send an order whose answer is 201; replayed is the value of Idempotency-Replayed.
func (a *Attempt) Order(answer OrderAnswer, replayed bool) {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	o := a.ledger.order(*a.request.Order)
	a.document("order", o.order.ID, o.order.TS, &o.answer, answer, replayed)
}

// Refund ends an attempt to send a refund whose answer is 201; replayed is the value of Idempotency-Replayed.
func (a *Attempt) Refund(answer OrderAnswer, replayed bool) {
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	r := a.ledger.refund(*a.request.Refund)
	a.document("refund", r.refund.ID, r.refund.TS, &r.answer, answer, replayed)
}

// document compares an answer with what was sent and with the first answer, which it keeps. The caller holds the lock.
func (a *Attempt) document(what string, id uuid.UUID, ts time.Time, first *OrderAnswer, answer OrderAnswer, replayed bool) {
	a.ledger.batches[answer.BatchID] = struct{}{}
	if !a.entries[0].acknowledged {
		*first = answer
	}
	expected := a.acknowledge()[0]
	switch {
	case answer != *first:
		a.ledger.problem("%s %s was answered as %+v, and now as %+v", what, id, *first, answer)
	case answer.ID != id || !answer.TS.Equal(ts):
		a.ledger.problem("%s %s of %s was answered as %+v", what, id, ts, answer)
	case replayed && expected == mustBeNew:
		a.ledger.problem("%s %s was sent for the first time, and is a replay", what, id)
	case !replayed && expected == mustBeKnown:
		a.ledger.problem("%s %s was acknowledged before, and is stored again", what, id)
	}
}
