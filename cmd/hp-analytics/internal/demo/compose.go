package demo

import (
	"iter"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/shop"
)

// Every how many events or purchases something special happens, and to which of them: also small demos have one of each.
const (
	aloneEvery, aloneAt         = 400, 7   // sent by itself
	twiceEvery, twiceAt         = 200, 5   // twice in one batch
	againEvery, againAt         = 250, 9   // again in the next batch
	purchaseEvery, purchaseAt   = 10, 1    // sent again with the same key
	smallestBatch, largestBatch = 300, 990 // and one more for an event that is there twice
)

// delivery is what is sent by one request: a batch of events, one event alone, or a purchase.
type delivery struct {
	events   []shop.Fact
	fresh    int // how many of events were not sent before
	batch    int // number of the batch
	alone    bool
	purchase *shop.Fact
	again    bool // the purchase is sent twice
}

// compose packs facts into requests, with the repetitions that a demo sends on purpose.
func compose(facts iter.Seq[shop.Fact]) iter.Seq[delivery] {
	return func(yield func(delivery) bool) {
		c := composer{yield: yield}
		for f := range facts {
			if !c.add(f) {
				return
			}
		}
		for len(c.batch)+len(c.next) > 0 {
			if !c.flush() {
				return
			}
		}
	}
}

type composer struct {
	yield             func(delivery) bool
	batch             []shop.Fact
	fresh             int         // how many of batch were not sent before
	next              []shop.Fact // what the next batch begins with: repetitions
	events, purchases int
	batches           int
}

// every reports whether the n-th of something is one of each interval: the one at place.
func every(n, interval, place int) bool { return n%interval == place }

func (c *composer) add(f shop.Fact) bool {
	if f.IsPurchase() {
		c.purchases++
		return c.yield(delivery{purchase: &f, again: every(c.purchases, purchaseEvery, purchaseAt)})
	}
	c.events++
	if every(c.events, againEvery, againAt) || every(c.events, 2*aloneEvery, aloneAt) {
		c.next = append(c.next, f)
	}
	if every(c.events, aloneEvery, aloneAt) {
		return c.yield(delivery{events: []shop.Fact{f}, fresh: 1, alone: true})
	}
	c.batch = append(c.batch, f)
	c.fresh++
	if every(c.events, twiceEvery, twiceAt) {
		c.batch = append(c.batch, f)
	}
	return len(c.batch) < c.size() || c.flush()
}

// size is how many events the present batch shall have. Sizes differ, as they do when events come in from a shop.
func (c *composer) size() int {
	const step = 137 // shares no factor with the range, so that all sizes come up
	return smallestBatch + c.batches*step%(largestBatch-smallestBatch+1)
}

// flush sends the batch, and begins the next with what is to be repeated there.
func (c *composer) flush() bool {
	d := delivery{events: c.batch, fresh: c.fresh, batch: c.batches}
	c.batches++
	c.batch, c.fresh, c.next = c.next, 0, nil
	return len(d.events) == 0 || c.yield(d)
}
