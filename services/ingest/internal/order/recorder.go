package order

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// Outcome is what became of one order.
type Outcome struct {
	Order    Order // as it is stored; the zero Order after an error
	Replayed bool  // it, or the answer to its Idempotency-Key, was stored before
	Err      error
}

// Decided reports whether it is an outcome, and not the zero Outcome.
func (o *Outcome) Decided() bool { return o.Err != nil || o.Order.Batch != 0 }

// RefundOutcome is what became of one refund.
type RefundOutcome struct {
	Refund   Refund // as it is stored; the zero Refund after an error
	Replayed bool
	Err      error
}

// Decided reports whether it is an outcome, and not the zero RefundOutcome.
func (o *RefundOutcome) Decided() bool { return o.Err != nil || o.Refund.Batch != 0 }

// Committer makes accepted orders and refunds durable. When a method returns without an error, what became of each is committed.
// After an Unavailable error they may be committed or not; sending the same again settles it.
type Committer interface {
	// CommitOrders stores each order that is new, and finds those that were stored before. An outcome has the error
	// ErrProductChanged if its order was made for a former version of a product, and event.ExpiredError if its user may have been
	// erased.
	CommitOrders(ctx context.Context, orders []Order) ([]Outcome, error)
	// CommitRefund stores a refund that is new and fits what is left of its order, or finds it.
	CommitRefund(ctx context.Context, refund Refund) (RefundOutcome, error)
	// CommitRefunds stores refunds of no order that are new, or finds them. An outcome has an event.ExpiredError if its user may
	// have been erased.
	CommitRefunds(ctx context.Context, refunds []Refund) ([]RefundOutcome, error)
}

// Archive finds what was stored before.
type Archive interface {
	// Known returns the outcomes of the orders that were stored before, by id or Idempotency-Key, and the zero Outcome for others.
	Known(ctx context.Context, orders []Order) ([]Outcome, error)
	// KnownRefund does the same for a refund.
	KnownRefund(ctx context.Context, refund Refund) (RefundOutcome, error)
}

// Deps are what a recorder works with.
type Deps struct {
	Catalog    event.Catalog
	Dictionary event.Dictionary
	Committer  Committer
	Archive    Archive
}

// Recorder accepts and records orders and refunds. It is safe for concurrent use.
type Recorder struct {
	rules event.Rules
	deps  Deps
}

// NewRecorder returns a recorder.
func NewRecorder(rules event.Rules, deps Deps) *Recorder { return &Recorder{rules: rules, deps: deps} }

// maxAttempts bounds how often an order is examined and stored. A further attempt is needed only if a product changes again,
// or users are erased again, within the milliseconds since the last one.
const maxAttempts = 4

// errUnsettled is the answer after maxAttempts.
var errUnsettled error = errs.New(errs.Unavailable, "overloaded", "A product of the request changes all the time, or users are being erased all the time. Try again shortly.")

// Orders records the valid ones of some orders in one flush and returns what became of each. A refused one is an Invalid error that
// lists its problems. Only a single order can have a key.
func (r *Recorder) Orders(ctx context.Context, caller event.Caller, drafts []Draft, key *IdempotencyKey) ([]Outcome, error) {
	x := &examination{Recorder: r, caller: caller, drafts: drafts, outcomes: make([]Outcome, len(drafts))}
	now := time.Now()
	var refused []int
	for i := range drafts {
		x.candidates = append(x.candidates, read(r.rules, &drafts[i], caller, key, now))
		if drafts[i].Refused() {
			refused = append(refused, i)
		} else {
			x.open = append(x.open, i)
		}
	}
	if err := x.refuse(ctx, refused, drafts); err != nil {
		return nil, err
	}
	lookUp := r.deps.Catalog.Products
	for attempt := range maxAttempts {
		if len(x.open) == 0 {
			return x.outcomes, nil
		}
		if err := x.attempt(ctx, lookUp, attempt == 0); err != nil {
			return nil, err
		}
		lookUp = r.deps.Catalog.Reload
	}
	for _, i := range x.open {
		x.outcomes[i].Err = errUnsettled
	}
	return x.outcomes, nil
}

// examination is the recording of some orders.
type examination struct {
	*Recorder

	caller     event.Caller
	drafts     []Draft
	candidates []candidate
	outcomes   []Outcome
	open       []int // those that have no outcome yet
}

// attempt examines the open orders with their products and stores the good ones. What remains open is to be tried again. If the
// products are a guess, so is a refusal because of them.
func (x *examination) attempt(ctx context.Context, lookUp lookUp, guess bool) error {
	priced := make([]Draft, len(x.drafts)) // a copy, because another attempt begins without the problems of this one
	for _, i := range x.open {
		priced[i] = x.drafts[i]
		priced[i].Problems = nil
	}
	if err := x.price(ctx, lookUp, priced); err != nil {
		return err
	}
	var refused, good, again []int
	for _, i := range x.open {
		switch {
		case !priced[i].Refused():
			good = append(good, i)
		case guess:
			again = append(again, i)
		default:
			refused = append(refused, i)
		}
	}
	if err := x.refuse(ctx, refused, priced); err != nil {
		return err
	}
	changed, err := x.commit(ctx, good)
	x.open = slices.Concat(again, changed)
	slices.Sort(x.open)
	return err
}

// refuse settles orders whose drafts have problems. One that was stored before is answered as before, because a retry is no new
// order: its products and our rules may have changed since.
func (x *examination) refuse(ctx context.Context, refused []int, drafts []Draft) error {
	var orders []Order
	var index []int
	for _, i := range refused {
		x.outcomes[i].Err = event.Refusal(drafts[i].Problems)
		if x.candidates[i].comparable {
			orders, index = append(orders, x.candidates[i].Order), append(index, i)
		}
	}
	if len(orders) == 0 {
		return nil
	}
	known, err := x.deps.Archive.Known(ctx, orders)
	for n := range known {
		if known[n].Decided() {
			x.outcomes[index[n]] = known[n]
		}
	}
	return err
}

// commit stores orders and returns those that must be examined again.
func (x *examination) commit(ctx context.Context, good []int) (changed []int, err error) {
	if len(good) == 0 {
		return nil, nil
	}
	refs := make([]event.UserRef, len(good))
	for n, i := range good {
		refs[n] = event.UserRef{UserID: x.candidates[i].UserID, AnonymousID: x.candidates[i].AnonymousID}
	}
	users, err := x.deps.Dictionary.Users(ctx, x.caller.Project.ID, refs)
	if err != nil {
		return nil, err
	}
	orders := make([]Order, len(good))
	for n, i := range good {
		orders[n] = x.candidates[i].Order
		orders[n].User, orders[n].Epoch = users[n].N, users[n].Epoch
	}
	outcomes, err := x.deps.Committer.CommitOrders(ctx, orders)
	if err != nil {
		return nil, err
	}
	x.name(ctx, users, outcomes)
	for n, i := range good {
		expired, again := errors.AsType[event.ExpiredError](outcomes[n].Err)
		if again {
			x.deps.Dictionary.Expire(x.caller.Project.ID, expired.Epoch)
		}
		if again || errors.Is(outcomes[n].Err, ErrProductChanged) {
			changed = append(changed, i)
		} else {
			x.outcomes[i] = outcomes[n]
		}
	}
	return changed, nil
}

// name sets who the new orders are of to who bought by what is stored, so that a retry is answered in the same way: the user if it is
// known, and for an anonymous id that belongs to somebody, this person. The orders are stored, so a failed look-up leaves the
// anonymous id and does not fail the request.
func (x *examination) name(ctx context.Context, users []event.User, outcomes []Outcome) {
	var joined []Order
	var index []int
	for n := range outcomes {
		o := &outcomes[n].Order
		switch {
		case outcomes[n].Err != nil || outcomes[n].Replayed:
		case o.UserID != "":
			o.AnonymousID = ""
		case users[n].N != users[n].Anonymous:
			joined, index = append(joined, *o), append(index, n)
		}
	}
	if len(joined) == 0 {
		return
	}
	known, err := x.deps.Archive.Known(ctx, joined)
	if err != nil {
		return
	}
	for n := range known {
		outcomes[index[n]].Order = known[n].Order
	}
}
