package order

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/money"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// candidate is an order while it is examined.
type candidate struct {
	Order
	refs []event.Ref // of its lines
	// comparable says that all of the draft could be read and that it names an id or comes with an Idempotency-Key, so that it may
	// be known.
	comparable bool
}

// read checks a draft against the rules that concern nothing but itself. The order is not valid if the draft is refused after it.
func read(rules event.Rules, d *Draft, caller event.Caller, key *IdempotencyKey, now time.Time) candidate {
	c := candidate{comparable: !d.Refused() && (d.Has(event.FieldID) || key != nil)}
	moment := rules.Moment(&d.FactDraft, caller, now)
	d.Clamped = moment.Clamped
	buyer := event.Buyer(&d.FactDraft, caller)
	if !d.Purchase && !d.Has(event.FieldID) && !d.SentBadly(event.FieldID) {
		d.Refuse("/id", event.CodeRequired, "id is required: it makes retries safe.")
	}
	checkCurrency(d)
	c.refs = checkLines(d, caller)
	c.Order = Order{
		Key: Key{Project: caller.Project.ID, ID: moment.ID}, Number: numberOf(&d.FactDraft, moment.ID), TS: moment.TS,
		UserID: buyer.UserID, AnonymousID: buyer.AnonymousID, Currency: d.Currency, Properties: moment.Note(d.Properties),
		Lines: make([]Line, len(d.Lines)), ContentHash: ofOrder(d, buyer, c.refs),
	}
	if c.comparable = c.comparable && moment.ID != uuid.Nil; key != nil {
		own := *key
		own.BodyHash = ofRequest(d, c.ContentHash)
		c.Idempotency = &own
	}
	return c
}

// numberOf returns the client's own id if the order is stored under another one.
func numberOf(d *event.FactDraft, id uuid.UUID) string {
	switch {
	case d.IDText != "":
		return d.IDText
	case d.Has(event.FieldID) && d.ID != id:
		return d.ID.String() // of a guest
	default:
		return ""
	}
}

func checkCurrency(d *Draft) {
	switch {
	case d.SentBadly(event.FieldCurrency):
	case d.Has(event.FieldCurrency):
		if _, err := money.Parse(d.Currency); err != nil {
			d.Refuse("/currency", event.CodeInvalidValue, "currency "+err.Error()+".")
		}
	case !d.Purchase:
		d.Refuse("/currency", event.CodeRequired, "currency is required.")
	}
}

// checkLines returns the products that the lines name.
func checkLines(d *Draft, caller event.Caller) []event.Ref {
	switch {
	case d.SentBadly(event.FieldLines):
	case len(d.Lines) == 0:
		d.Refuse("/lines", event.CodeRequired, "lines is required: an order has 1 to 2000 lines.")
	}
	refs := make([]event.Ref, len(d.Lines))
	for i := range d.Lines {
		l := &d.Lines[i]
		item := l.fact()
		refs[i] = event.ProductOf(&item, caller)
		checkQuantity(&item, l)
		checkAmount(&item, l, 0)
		adopt(&d.FactDraft, d.pointer(i), &item)
	}
	return refs
}

func checkQuantity(item *event.FactDraft, l *LineDraft) {
	switch {
	case item.SentBadly(event.FieldQuantity):
	case !l.Has(event.FieldQuantity):
		item.Refuse("/quantity", event.CodeRequired, "quantity is required.")
	case l.Quantity < 1 || l.Quantity > maxQuantity:
		item.Refuse("/quantity", event.CodeInvalidValue, "quantity must be from 1 to 1000000.")
	}
}

func checkAmount(item *event.FactDraft, l *LineDraft, least int64) {
	if l.Has(event.FieldAmount) && (l.AmountMinor < least || l.AmountMinor > maxAmountMinor) {
		item.Refuse("/amount_minor", event.CodeInvalidValue, fmt.Sprintf("amount_minor must be from %d to 1000000000000.", least))
	}
}
