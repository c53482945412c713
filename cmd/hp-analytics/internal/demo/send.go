package demo

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/shop"
)

// sent is what was sent and what the platform answered.
type sent struct {
	mu        sync.Mutex
	events    int // repetitions included
	batches   int
	alone     int
	purchases int
	again     int // purchases that were sent twice
	fates     client.Fates
	took      time.Duration
	retries   int64
}

// differences returns what the answers themselves got wrong. Nothing is sent that may be refused. Of repetitions, known
// or by a retry after a lost answer, none may be accepted as new.
func (s *sent) differences(events int) []Difference {
	var found []Difference
	if s.fates.Rejected > 0 {
		subject := "all requests"
		if len(s.fates.Errors) > 0 {
			subject = fmt.Sprintf("all requests (the first: %s: %s)", s.fates.Errors[0].Code, s.fates.Errors[0].Detail)
		}
		found = append(found, Difference{What: "rejected events", Subject: subject, Platform: int64(s.fates.Rejected)})
	}
	if s.fates.Accepted > events {
		found = append(found, Difference{What: "accepted events", Subject: "all requests", Platform: int64(s.fates.Accepted), Own: int64(events)})
	}
	return found
}

// send sends everything that happens in the shop, and counts it on the way. One goroutine makes what the senders send,
// not faster than they do.
func (d *demo) send(ctx context.Context) (*sent, error) {
	d.progress.begin("sending events", d.shop.Events)
	defer d.progress.end()
	s := &sent{}
	deliveries := make(chan delivery)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(deliveries)
		for next := range compose(d.counted()) {
			select {
			case deliveries <- next:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	for range senders {
		group.Go(func() error {
			for next := range deliveries {
				if err := d.deliver(ctx, s, next); err != nil {
					return err
				}
				d.progress.add(next.fresh)
			}
			return nil
		})
	}
	err := group.Wait()
	s.retries = d.key.Retries()
	return s, err
}

// counted passes on all facts of the shop, and counts each once.
func (d *demo) counted() func(yield func(shop.Fact) bool) {
	return func(yield func(shop.Fact) bool) {
		for f := range d.shop.Facts() {
			d.own.Add(f)
			if !yield(f) {
				return
			}
		}
	}
}

func (d *demo) deliver(ctx context.Context, s *sent, next delivery) error {
	switch {
	case next.purchase != nil:
		return d.buy(ctx, s, *next.purchase, next.again)
	case next.alone:
		event := d.event(next.events[0], true)
		event.TS = time.Time{} // the platform takes it from the id
		fates, err := d.key.SendEvent(ctx, event)
		s.note(func() { s.alone++ }, 1, fates)
		return err
	default:
		forms := client.Forms()
		form := forms[next.batch%len(forms)]
		events := make([]client.Event, len(next.events))
		for i, f := range next.events {
			events[i] = d.event(f, form.Lines)
		}
		fates, err := d.key.SendEvents(ctx, events, form)
		s.note(func() { s.batches++ }, len(events), fates)
		return err
	}
}

// note adds one answer to s.
func (s *sent) note(count func(), events int, fates client.Fates) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count()
	s.events += events
	s.fates.Accepted += fates.Accepted
	s.fates.Duplicates += fates.Duplicates
	s.fates.Rejected += fates.Rejected
	if len(s.fates.Errors) == 0 {
		s.fates.Errors = fates.Errors
	}
}

// event writes f as the platform takes it, with the product by its SKU or by its id.
func (d *demo) event(f shop.Fact, bySKU bool) client.Event {
	e := client.Event{ID: f.ID.String(), Type: f.Type, UserID: d.shop.UserID(f.User), TS: f.At, Properties: f.Properties}
	if bySKU {
		e.SKU = d.shop.Products[f.Product].SKU
	} else {
		e.ProductID = d.ids[f.Product]
	}
	return e
}

// buy sends a purchase, and if asked to, sends it again with the same key, to which the answer must be the same.
func (d *demo) buy(ctx context.Context, s *sent, f shop.Fact, again bool) error {
	p := client.Purchase{
		ID: f.ID.String(), SKU: d.shop.Products[f.Product].SKU, Quantity: f.Quantity, UserID: d.shop.UserID(f.User), TS: f.At,
	}
	if f.Discounted {
		p.AmountMinor = &f.PaidMinor
	}
	idempotencyKey := "demo-order-" + p.ID
	first, _, err := d.key.SendPurchase(ctx, p, idempotencyKey)
	if err != nil {
		return err
	}
	if again {
		second, replayed, err := d.key.SendPurchase(ctx, p, idempotencyKey)
		if err != nil {
			return err
		}
		if !replayed || second != first {
			return fmt.Errorf("purchase %s was sent twice with one Idempotency-Key: the answers are %+v and %+v, replayed: %t",
				p.ID, first, second, replayed)
		}
	}
	s.note(func() {
		s.purchases++
		if again {
			s.again++
		}
	}, 0, client.Fates{})
	return nil
}
