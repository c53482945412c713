package order

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// Refunds records the valid ones of some refunds without an order in one flush and returns what became of each. A refused one is
// an Invalid error that lists its problems.
func (r *Recorder) Refunds(ctx context.Context, caller event.Caller, drafts []Draft) ([]RefundOutcome, error) {
	x := &examination{Recorder: r, caller: caller, drafts: drafts}
	now := time.Now()
	for i := range drafts {
		x.candidates = append(x.candidates, readStandalone(r.rules, &drafts[i], caller, now))
		if !drafts[i].Refused() {
			x.open = append(x.open, i)
		}
	}
	refunds, users, index, err := x.standalone(ctx)
	if err != nil {
		return nil, err
	}
	outcomes := make([]RefundOutcome, len(drafts))
	for i := range drafts {
		if drafts[i].Refused() {
			outcomes[i].Err = event.Refusal(drafts[i].Problems)
		}
	}
	for range maxAttempts {
		if len(refunds) == 0 {
			return outcomes, nil
		}
		stored, err := x.commitRefunds(ctx, refunds, users)
		if err != nil {
			return nil, err
		}
		open := 0
		for n, i := range index {
			if outcomes[i] = stored[n]; x.expired(&stored[n]) {
				refunds[open], users[open], index[open] = refunds[n], users[n], i
				open++
			}
		}
		refunds, users, index = refunds[:open], users[:open], index[:open]
	}
	for _, i := range index {
		outcomes[i].Err = errUnsettled
	}
	return outcomes, nil
}

// expired reports whether a refund was not stored because its user may have been erased. The next look-up finds the user anew.
func (x *examination) expired(outcome *RefundOutcome) bool {
	e, expired := errors.AsType[event.ExpiredError](outcome.Err)
	if expired {
		x.deps.Dictionary.Expire(x.caller.Project.ID, e.Epoch)
	}
	return expired
}

// commitRefunds stores refunds of users.
func (x *examination) commitRefunds(ctx context.Context, refunds []Refund, users []event.UserRef) ([]RefundOutcome, error) {
	found, err := x.deps.Dictionary.Users(ctx, x.caller.Project.ID, users)
	if err != nil {
		return nil, err
	}
	for n := range found {
		refunds[n].User, refunds[n].Epoch = found[n].N, found[n].Epoch
	}
	return x.deps.Committer.CommitRefunds(ctx, slices.Clone(refunds))
}

// standalone returns the open refunds whose products exist, their users, and their indexes. The candidates of refunds are orders
// with the same content.
func (x *examination) standalone(ctx context.Context) (refunds []Refund, users []event.UserRef, index []int, err error) {
	if len(x.open) == 0 {
		return nil, nil, nil, nil
	}
	var refs []event.Ref
	for _, i := range x.open {
		refs = append(refs, x.candidates[i].refs...)
	}
	products, err := x.deps.Catalog.Products(ctx, refs)
	if err == nil {
		products, err = x.certain(ctx, refs, products)
	}
	if err == nil && x.caller.CreateProducts {
		err = x.createProducts(ctx, refs, products)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	for _, i := range x.open {
		c := &x.candidates[i]
		n := len(c.refs)
		if x.exist(&x.drafts[i], c.refs, products[:n]) {
			refunds, index = append(refunds, c.refund(&x.drafts[i], products[:n])), append(index, i)
			users = append(users, event.UserRef{UserID: c.UserID, AnonymousID: c.AnonymousID})
		}
		products = products[n:]
	}
	return refunds, users, index, nil
}

// certain looks products up again if one is unknown or is named by its id: what is known of products is a guess, and a refusal needs
// more, and so does the SKU in the answer.
func (x *examination) certain(ctx context.Context, refs []event.Ref, products []event.Product) ([]event.Product, error) {
	for i := range products {
		if !products[i].Exists() || refs[i].SKU == "" {
			return x.deps.Catalog.Reload(ctx, refs)
		}
	}
	return products, nil
}

func (c *candidate) refund(d *Draft, products []event.Product) Refund {
	refund := Refund{
		Key: c.Key, Number: numberOf(&d.FactDraft, c.ID), TS: c.TS, Reason: d.Reason, Currency: c.Currency, ContentHash: c.ContentHash,
		Lines: make([]RefundLine, len(products)),
	}
	for i, p := range products {
		l := &d.Lines[i]
		refund.Lines[i] = RefundLine{
			Line: int16(i + 1), Product: p.N, ProductID: p.ID, SKU: p.SKU, Units: l.Quantity, AmountMinor: l.AmountMinor,
		}
	}
	return refund
}

// readStandalone checks a draft against the rules that concern nothing but itself.
func readStandalone(rules event.Rules, d *Draft, caller event.Caller, now time.Time) candidate {
	moment := rules.Moment(&d.FactDraft, caller, now)
	d.Clamped = moment.Clamped
	buyer := event.Buyer(&d.FactDraft, caller)
	if !d.Has(event.FieldID) && !d.SentBadly(event.FieldID) {
		d.Refuse("/id", event.CodeRequired, "id is required: it makes retries safe.")
	}
	checkReason(&d.FactDraft, d.Reason)
	checkCurrency(d)
	if len(d.Lines) == 0 && !d.SentBadly(event.FieldLines) {
		d.Refuse("/lines", event.CodeRequired, "lines is required: a refund without an order has 1 to 2000 lines.")
	}
	c := candidate{refs: make([]event.Ref, len(d.Lines))}
	var total int64
	for i := range d.Lines {
		l := &d.Lines[i]
		item := l.fact()
		c.refs[i] = event.ProductOf(&item, caller)
		checkReturned(&item, l)
		adopt(&d.FactDraft, d.pointer(i), &item)
		total += l.AmountMinor
	}
	if !d.Refused() && total > maxAmountMinor {
		d.Refuse("/lines", CodeAmountTooLarge, fmt.Sprintf("The lines pay back %d in all, which is more than 1000000000000.", total))
	}
	c.Order = Order{
		Key: Key{Project: caller.Project.ID, ID: moment.ID}, TS: moment.TS, UserID: buyer.UserID, AnonymousID: buyer.AnonymousID,
		Currency: d.Currency, ContentHash: ofStandalone(d, buyer, c.refs),
	}
	return c
}

// checkReturned checks what comes back of a product: units, an amount, or both.
func checkReturned(item *event.FactDraft, l *LineDraft) {
	least := int64(1)
	if l.Has(event.FieldQuantity) {
		checkQuantity(item, l)
		least = 0 // units can come back for nothing
	}
	if !l.Has(event.FieldAmount) && !item.SentBadly(event.FieldAmount) {
		item.Refuse("/amount_minor", event.CodeRequired, "amount_minor is required.")
	}
	checkAmount(item, l, least)
}
