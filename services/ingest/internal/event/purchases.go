package event

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// IdempotencyKey identifies one request of one caller.
type IdempotencyKey struct {
	Principal string // the account that the caller acts for: keys of different accounts do not meet
	Key       string
	BodyHash  [sha256.Size]byte
}

// Order is a purchase to store, under an idempotency key if it has one.
type Order struct {
	Purchase
	Key *IdempotencyKey // may be nil
	// ListPrice is the price of one unit that AmountMinor was computed from; nil if the sender was free to name the amount.
	// The order is stored only while this is the price of the product.
	ListPrice *int64
}

// Purchase records a purchase. replayed is true when the same purchase, by key or by id, was stored before and is only
// repeated.
func (r *Recorder) Purchase(ctx context.Context, caller Caller, draft PurchaseDraft, key *IdempotencyKey) (stored Purchase, replayed bool, err error) {
	p, ref := r.rules.purchase(&draft, caller, time.Now())
	lookUp := r.catalog.Products
	for attempt := range maxAttempts {
		found, err := lookUp(ctx, []Ref{ref})
		if err != nil {
			return Purchase{}, false, err
		}
		order, examined := Order{Purchase: p, Key: key}, draft
		resolve(&examined.FactDraft, &order.Fact, ref, found[0])
		beyond := len(examined.Problems)
		if found[0].Exists() {
			settle(&examined, &order, found[0], caller)
		}
		switch guessed := attempt == 0 && len(examined.Problems) > beyond; {
		case !examined.Refused():
			stored, replayed, err := r.store.CommitPurchase(ctx, order)
			switch {
			case errors.Is(err, ErrDayDropped):
				examined.refuseTooOld(dayDropped)
				return Purchase{}, false, Refusal(examined.Problems)
			case !errors.Is(err, ErrProductChanged):
				return stored, replayed, err
			}
		case !guessed: // or the price that refuses it may be out of date
			return r.refuse(ctx, examined.Problems, key)
		}
		lookUp = r.catalog.Reload
	}
	return Purchase{}, false, errUnsettled
}

// refuse answers a purchase that cannot be stored. A repeated request is answered as the first one was, even if its product
// has been archived since.
func (r *Recorder) refuse(ctx context.Context, problems []errs.Field, key *IdempotencyKey) (Purchase, bool, error) {
	if key != nil {
		if p, found, err := r.answers.Replay(ctx, *key); err != nil || found {
			return p, found, err
		}
	}
	return Purchase{}, false, Refusal(problems)
}
