package demo

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/shop"
)

// sent is what was sent and what the platform answered.
type sent struct {
	mu        sync.Mutex
	events    int // repetitions included
	batches   int
	single    int
	purchases int
	repeated  int // purchases that were sent twice
	refunds   int
	results   client.EventBulkResult
	took      time.Duration
	retries   int64
}

// differences returns what is wrong with the answers themselves. Nothing that the demo sends may be refused, and no
// repetition may be accepted as new, whether it was deliberate or a retry after a lost answer.
func (s *sent) differences(events int) []Difference {
	var found []Difference
	if s.results.Rejected > 0 {
		subject := "all requests"
		if len(s.results.Errors) > 0 {
			subject = fmt.Sprintf("all requests (the first: %s: %s)", s.results.Errors[0].Code, s.results.Errors[0].Detail)
		}
		found = append(found, Difference{What: "rejected events", Subject: subject, Platform: int64(s.results.Rejected)})
	}
	if s.results.Accepted > events {
		found = append(found, Difference{What: "accepted events", Subject: "all requests", Platform: int64(s.results.Accepted), Own: int64(events)})
	}
	return found
}

// send sends everything that happens in the shop and counts it on the way. One goroutine composes requests, no faster than
// the senders send them.
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
	s.retries = d.retries.Load()
	return s, err
}

// counted yields all facts of the shop and adds each to the demo's own count.
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
		return d.sendOne(ctx, s, next.events[0])
	default:
		return d.sendBatch(ctx, s, next)
	}
}

func (d *demo) sendOne(ctx context.Context, s *sent, f shop.Fact) error {
	event := d.event(f, true)
	event.TS = time.Time{} // the platform takes it from the id
	result, err := d.key.CreateEvent(ctx, event, nil)
	if err != nil {
		return err
	}
	var results client.EventBulkResult
	switch result.Status {
	case client.EventStatusAccepted:
		results.Accepted = 1
	case client.EventStatusDuplicate:
		results.Duplicates = 1
	default:
		return fmt.Errorf("event %s: the platform answered with the unknown status %q", event.ID, result.Status)
	}
	s.note(func() { s.single++ }, 1, results)
	return nil
}

// form is a way to encode a batch.
type form struct {
	ndjson   bool
	encoding client.Encoding
}

// forms returns every form that the platform accepts.
func forms() []form {
	return []form{{}, {ndjson: true}, {encoding: client.Gzip}, {true, client.Zstd}, {encoding: client.Zstd}, {true, client.Gzip}}
}

func (f form) options() []client.CallOption {
	options := []client.CallOption{client.Compressed(f.encoding)}
	if f.ndjson {
		options = append(options, client.AsNDJSON())
	}
	return options
}

func (d *demo) sendBatch(ctx context.Context, s *sent, next delivery) error {
	form := forms()[next.batch%len(forms())]
	events := make([]client.EventInput, len(next.events))
	for i, f := range next.events {
		events[i] = d.event(f, form.ndjson)
	}
	results, err := d.key.CreateEventsBulk(ctx, client.EventBulkRequest{Events: events}, nil, form.options()...)
	if err != nil {
		return err
	}
	if sum := results.Accepted + results.Duplicates + results.Rejected; sum != len(events) {
		return fmt.Errorf("a batch of %d events was answered with the results of %d", len(events), sum)
	}
	s.note(func() { s.batches++ }, len(events), results)
	return nil
}

// note adds one answer to s.
func (s *sent) note(count func(), events int, results client.EventBulkResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count()
	s.events += events
	s.results.Accepted += results.Accepted
	s.results.Duplicates += results.Duplicates
	s.results.Rejected += results.Rejected
	if len(s.results.Errors) == 0 {
		s.results.Errors = results.Errors
	}
}

// event converts f to an event of the API, which names the product by its SKU or by its id, if it has one.
func (d *demo) event(f shop.Fact, bySKU bool) client.EventInput {
	e := client.EventInput{ID: f.ID.String(), Type: f.Type, UserID: d.shop.UserID(f.User), TS: f.At, Properties: f.Properties}
	switch {
	case f.Product == shop.NoProduct:
	case bySKU:
		e.SKU = d.shop.Products[f.Product].SKU
	default:
		e.ProductID = d.ids[f.Product]
	}
	return e
}

// buy sends a purchase, and then its refund if it has one. With again it sends both a second time, and requires the same answers.
func (d *demo) buy(ctx context.Context, s *sent, f shop.Fact, again bool) error {
	p := client.PurchaseRequest{
		ID: f.ID.String(), SKU: d.shop.Products[f.Product].SKU, Quantity: f.Quantity, Currency: f.Currency,
		UserID: d.shop.UserID(f.User), TS: f.At,
	}
	if f.Discounted {
		p.AmountMinor = &f.PaidMinor
	}
	params := &client.CreatePurchaseParams{IdempotencyKey: "demo-order-" + p.ID}
	first, err := d.key.CreatePurchase(ctx, p, params)
	if err != nil {
		return err
	}
	if again {
		var header http.Header
		second, err := d.key.CreatePurchase(ctx, p, params, client.ResponseHeader(&header))
		if err != nil {
			return err
		}
		if replayed := header.Get("Idempotency-Replayed"); replayed != "true" || !reflect.DeepEqual(second, first) {
			return fmt.Errorf("purchase %s was sent twice with the same Idempotency-Key: the answers are %+v and %+v, Idempotency-Replayed is %q",
				p.ID, first, second, replayed)
		}
	}
	if f.Refund != nil {
		if err := d.refund(ctx, f, again); err != nil {
			return err
		}
	}
	s.note(func() {
		s.purchases++
		if again {
			s.repeated++
		}
		if f.Refund != nil {
			s.refunds++
		}
	}, 0, client.EventBulkResult{})
	return nil
}

// refund sends what comes back of a purchase: the whole order, or units of its only line.
func (d *demo) refund(ctx context.Context, f shop.Fact, again bool) error {
	r := client.RefundRequest{ID: f.Refund.ID.String(), TS: f.Refund.At, Reason: "does not fit"}
	if f.Refund.Quantity < f.Quantity {
		r.Lines = []client.RefundLineRequest{{Line: 1, Quantity: f.Refund.Quantity, AmountMinor: &f.Refund.PaidMinor}}
	}
	first, err := d.key.CreateRefund(ctx, f.ID.String(), r, nil)
	if err != nil || !again {
		return err
	}
	second, err := d.key.CreateRefund(ctx, f.ID.String(), r, nil)
	if err == nil && !reflect.DeepEqual(second, first) {
		err = fmt.Errorf("refund %s was sent twice: the answers are %+v and %+v", r.ID, first, second)
	}
	return err
}
