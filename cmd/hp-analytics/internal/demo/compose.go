package demo

import (
	"iter"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/shop"
)

// Of every so many events or purchases, one gets a special treatment, at the given position. The positions are low, so that
// small demos have one of each.
const (
	aloneEvery, aloneAt         = 400, 7   // sent in a request of its own
	twiceEvery, twiceAt         = 200, 5   // twice in one batch
	againEvery, againAt         = 250, 9   // again in the next batch
	purchaseEvery, purchaseAt   = 10, 1    // sent again with the same key
	smallestBatch, largestBatch = 300, 990 // plus one for an event that is in the batch twice
)

// delivery is the content of one request: a batch of events, a single event, or a purchase.
type delivery struct {
	events   []shop.Fact
	fresh    int // number of events that were not sent before
	batch    int // sequence number of the batch
	alone    bool
	purchase *shop.Fact
	again    bool // the purchase is sent twice
}

// compose groups facts into requests and adds the deliberate repetitions.
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
	fresh             int         // number of events in batch that were not sent before
	next              []shop.Fact // repetitions, at the start of the next batch
	events, purchases int
	batches           int
}

// every reports whether n is at a position of its interval.
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

// size is the target size of the current batch. Sizes vary, as they do in practice.
func (c *composer) size() int {
	const step = 137 // coprime to the range, so that all sizes occur
	return smallestBatch + c.batches*step%(largestBatch-smallestBatch+1)
}

// flush sends the batch and starts the next one with its repetitions.
func (c *composer) flush() bool {
	d := delivery{events: c.batch, fresh: c.fresh, batch: c.batches}
	c.batches++
	c.batch, c.fresh, c.next = c.next, 0, nil
	return len(d.events) == 0 || c.yield(d)
}
