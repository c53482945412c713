package event

import (
	"context"
	"crypto/sha256"
	"time"
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
}

// Purchase records a purchase. replayed is true when the same purchase, by key or by id, was stored before and is only
// repeated.
func (r *Recorder) Purchase(ctx context.Context, caller Caller, draft PurchaseDraft, key *IdempotencyKey) (stored Purchase, replayed bool, err error) {
	p, ref := r.rules.purchase(&draft, caller, time.Now())
	found, err := r.catalog.Products(ctx, []Ref{ref})
	if err != nil {
		return Purchase{}, false, err
	}
	product := found[0]
	resolve(&draft.FactDraft, &p.Fact, ref, product)
	if product.Exists() {
		settle(&draft, &p, product, caller)
	}
	if !draft.Refused() {
		return r.store.CommitPurchase(ctx, Order{Purchase: p, Key: key})
	}
	// A repeated request is answered as the first one was, even if its product has been archived since.
	if key != nil {
		if p, found, err := r.answers.Replay(ctx, *key); err != nil || found {
			return p, found, err
		}
	}
	return Purchase{}, false, Refusal(draft.Problems)
}
