// Package committer is the group commit of ingest: concurrent requests share transactions. A commit costs Postgres a
// flush to disk and ingest a round trip, whatever it carries, so under load many requests pay for one; an idle service
// commits each at once.
package committer

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

const (
	// maxFlush bounds the rows of one transaction. Beyond a few thousand a row does not get cheaper, and everybody in the
	// flush waits for the last one.
	maxFlush = 4 * event.MaxBatch
	// crowd is how many waiting rows are worth a second transaction beside the one in flight. With fewer, larger flushes
	// cost less; with more, one writer is slower than Postgres (`make bench`, events against bulk).
	crowd = 500
	// flushTimeout bounds one flush, if Postgres neither answers nor hangs up. Whether it was committed is open then.
	flushTimeout = 20 * time.Second
)

// Store writes flushes.
type Store interface {
	// StoreEvents stores events as one batch in one transaction. stored tells for each whether it is new; of equal ones
	// the first is.
	StoreEvents(ctx context.Context, batch uuid.UUID, events []event.Event) (stored []bool, err error)
	// StorePurchases stores those of the orders that are new beyond doubt as one batch in one transaction. The others
	// are for StorePurchase.
	StorePurchases(ctx context.Context, batch uuid.UUID, orders []event.Order) (stored []bool, receivedAt time.Time, err error)
	// StorePurchase stores one purchase, or finds what it or its key was stored as before: replayed.
	StorePurchase(ctx context.Context, order event.Order) (stored event.Purchase, replayed bool, err error)
	// Replay returns the purchase that answered key before, if there is one.
	Replay(ctx context.Context, key event.IdempotencyKey) (p event.Purchase, found bool, err error)
}

// Waker wakes the aggregators after a commit. It is best effort and does not block: a lost call costs latency only.
type Waker interface {
	Wake()
}

// Options tune a committer.
type Options struct {
	Writers    int // transactions at the same time, by kind; all but the first are for crowds
	MaxWaiting int // rows that may wait for a writer; more is answered with 503
}

// Committer implements event.Committer. It works while Run does.
type Committer struct {
	store     Store
	waker     Waker
	writers   int
	events    *group[eventsRequest]
	purchases *group[purchaseRequest]
	keys      sync.Map // idempotency keys in flight here, as principal and key
	requests  prometheus.Histogram
}

var _ event.Committer = (*Committer)(nil)

type eventsRequest struct {
	events []event.Event
	batch  uuid.UUID
	stored []bool
}

type purchaseRequest struct {
	order    event.Order
	replayed bool
}

// New returns a committer.
func New(store Store, waker Waker, o Options, registerer prometheus.Registerer) *Committer {
	c := &Committer{store: store, waker: waker, writers: o.Writers, requests: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "hpa_ingest_flush_requests", Help: "Requests that shared one transaction.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256},
	})}
	c.events = newGroup(o.MaxWaiting, maxFlush, c.flushEvents)
	c.purchases = newGroup(o.MaxWaiting, maxFlush, c.flushPurchases)
	registerer.MustRegister(c.requests,
		depth("events", c.events.depth), depth("purchases", c.purchases.depth))
	return c
}

func depth(kind string, of func() int) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hpa_ingest_waiting_rows", Help: "Rows that wait for a writer, by kind (INGEST_MAX_WAITING_ROWS).",
		ConstLabels: prometheus.Labels{"kind": kind},
	}, func() float64 { return float64(of()) })
}

// Run writes until ctx ends, and then what is still waiting.
func (c *Committer) Run(ctx context.Context) {
	var writers sync.WaitGroup
	writers.Go(func() { c.events.write(ctx, c.events.ready) })
	writers.Go(func() { c.purchases.write(ctx, c.purchases.ready) })
	for range c.writers - 1 {
		writers.Go(func() { c.events.write(ctx, c.events.crowded) })
		writers.Go(func() { c.purchases.write(ctx, c.purchases.crowded) })
	}
	writers.Wait()
}

// CommitEvents implements event.Committer.
func (c *Committer) CommitEvents(ctx context.Context, events []event.Event) (batch uuid.UUID, stored []bool, err error) {
	r, err := c.events.do(ctx, eventsRequest{events: events}, len(events))
	return r.batch, r.stored, err
}

// CommitPurchase implements event.Committer.
func (c *Committer) CommitPurchase(ctx context.Context, order event.Order) (stored event.Purchase, replayed bool, err error) {
	if order.Key != nil {
		key := [2]string{order.Key.Principal, order.Key.Key}
		if _, taken := c.keys.LoadOrStore(key, nil); taken {
			return event.Purchase{}, false, event.ErrKeyInFlight
		}
		defer c.keys.Delete(key)
	}
	r, err := c.purchases.do(ctx, purchaseRequest{order: order}, 1)
	return r.order.Purchase, r.replayed, err
}

// Replay implements event.Committer.
func (c *Committer) Replay(ctx context.Context, key event.IdempotencyKey) (event.Purchase, bool, error) {
	return c.store.Replay(ctx, key)
}

// flushEvents writes requests in one transaction and answers them.
func (c *Committer) flushEvents(ctx context.Context, members []*member[eventsRequest]) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	batch := event.NewID()
	stored, err := c.store.StoreEvents(ctx, batch, concatenate(members))
	if err != nil && len(members) > 1 && !errs.Is(err, errs.Unavailable) {
		// Something that one of them holds: it must not cost its neighbours.
		for i := range members {
			c.flushEvents(ctx, members[i:i+1])
		}
		return
	}
	c.requests.Observe(float64(len(members)))
	anew := false
	for _, m := range members {
		m.err = err
		if err == nil {
			n := len(m.request.events)
			m.request.batch, m.request.stored, stored = batch, stored[:n:n], stored[n:]
			for _, isNew := range m.request.stored {
				anew = anew || isNew
			}
		}
		close(m.done)
	}
	if anew {
		c.waker.Wake()
	}
}

func concatenate(members []*member[eventsRequest]) []event.Event {
	if len(members) == 1 {
		return members[0].request.events
	}
	n := 0
	for _, m := range members {
		n += m.rows
	}
	all := make([]event.Event, 0, n)
	for _, m := range members {
		all = append(all, m.request.events...)
	}
	return all
}

// flushPurchases writes what is new of the requests in one transaction, and looks at the others one by one: an id or a
// key that was used before is rare, and its answer has to be looked up.
func (c *Committer) flushPurchases(ctx context.Context, members []*member[purchaseRequest]) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	batch := event.NewID()
	orders := make([]event.Order, len(members))
	for i, m := range members {
		orders[i] = m.request.order
	}
	stored, receivedAt, err := c.store.StorePurchases(ctx, batch, orders)
	c.requests.Observe(float64(len(members)))
	anew := false
	for i, m := range members {
		switch {
		case errs.Is(err, errs.Unavailable):
			m.err = err
		case err == nil && stored[i]:
			m.request.order.BatchID, m.request.order.ReceivedAt = batch, receivedAt
			anew = true
		default: // one that is not new, or a flush that one of them has spoilt
			c.flushPurchase(ctx, m)
		}
		close(m.done)
	}
	if anew {
		c.waker.Wake()
	}
}

// flushPurchase writes one request in a transaction of its own.
func (c *Committer) flushPurchase(ctx context.Context, m *member[purchaseRequest]) {
	m.request.order.BatchID = event.NewID()
	stored, replayed, err := c.store.StorePurchase(ctx, m.request.order)
	if err != nil {
		m.err = err
		return
	}
	m.request.order.Purchase, m.request.replayed = stored, replayed
	if !replayed {
		c.waker.Wake()
	}
}
