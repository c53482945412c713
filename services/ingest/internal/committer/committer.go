// Package committer is the group commit of ingest: concurrent requests share transactions. A commit costs a disk flush in
// Postgres and a round trip, whatever its size. Under load many requests share that cost; an idle service commits each
// request at once.
package committer

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

const (
	// maxFlush bounds the rows of one transaction. Beyond a few thousand rows the cost per row stays the same, and every
	// request of the flush waits for the whole of it.
	maxFlush = 4 * event.MaxBatch
	// backlog is how many waiting rows start a second transaction beside the one in flight. Below it, one writer with larger
	// flushes costs less; above it, one writer is slower than Postgres (`make bench`, events against bulk).
	backlog = 500
	// flushTimeout bounds one flush, with all transactions of its bisection, when Postgres neither answers nor closes the
	// connection. The rows may be committed or not then.
	flushTimeout = 20 * time.Second
)

// Store writes flushes.
type Store interface {
	// StoreEvents stores events in one transaction, those of each project as one batch. After an error nothing is stored, or it
	// is unknown what is. An event.BlockedError names the events without which the others can be stored.
	StoreEvents(ctx context.Context, events []event.Event) (Stored, error)
	// StoreOrders stores the new ones of orders, whose Idempotency-Keys differ, and looks up the others. The new ones are stored in
	// one transaction, those of each project as one batch, unless an order can only be told to be new after another one is stored.
	// After an error no order has an outcome.
	StoreOrders(ctx context.Context, orders []order.Order) ([]order.Outcome, error)
	// StoreRefunds does the same for refunds.
	StoreRefunds(ctx context.Context, refunds []order.Refund) ([]order.RefundOutcome, error)
}

// Stored is what became of events.
type Stored struct {
	Batches  map[int16]int64 // by project
	Statuses []event.Status  // of each event; of several equal ones only the first is Accepted
}

// ErrContent marks an error that some of the rows cause, not the state of the database: without these rows the others can
// be stored.
var ErrContent = errors.New("the database refuses the content of a row")

// ErrLocked marks an error of rows that another transaction holds locked for longer than a flush waits. Without these rows the
// others can be stored.
var ErrLocked = errors.New("another transaction holds the rows")

// Waker wakes the aggregators after a commit. It is best effort and does not block: a lost call costs latency only. The task
// continues the trace of ctx.
type Waker interface {
	Wake(ctx context.Context)
}

// Options tune a committer.
type Options struct {
	Writers    int // transactions at the same time, by kind; all but the first only work on a backlog
	MaxWaiting int // rows that may wait for a writer; a request beyond that is answered with 503
	// LockWait is how long a transaction waits for locked rows: the lock_timeout of the store's connections. 0 is a second.
	LockWait time.Duration
}

// Committer implements event.Committer. Requests wait until Run runs.
type Committer struct {
	store    Store
	waker    Waker
	writers  int
	lockWait time.Duration
	events   *group[eventsRequest]
	orders   *group[ordersRequest]
	refunds  *group[refundRequest]
	keys     sync.Map // idempotency keys in flight here
	requests prometheus.Histogram
}

var _ event.Committer = (*Committer)(nil)

type eventsRequest struct {
	events   []event.Event // of one project
	batch    int64
	statuses []event.Status
}

// New returns a committer.
func New(store Store, waker Waker, o Options, registerer prometheus.Registerer) *Committer {
	c := &Committer{store: store, waker: waker, writers: o.Writers, lockWait: cmp.Or(o.LockWait, time.Second), requests: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "hpa_ingest_flush_requests", Help: "Requests that shared one transaction.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256},
	})}
	c.events = newGroup(o.MaxWaiting, maxFlush, c.flushEvents)
	c.orders = newGroup(o.MaxWaiting, maxFlush, c.flushOrders)
	c.refunds = newGroup(o.MaxWaiting, maxFlush, c.flushRefunds)
	registerer.MustRegister(c.requests,
		depth("events", c.events.depth), depth("orders", c.orders.depth), depth("refunds", c.refunds.depth))
	return c
}

func depth(kind string, of func() int) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hpa_ingest_waiting_rows", Help: "Rows that wait for a writer, by kind (INGEST_MAX_WAITING_ROWS).",
		ConstLabels: prometheus.Labels{"kind": kind},
	}, func() float64 { return float64(of()) })
}

// Run writes until ctx ends, and then whatever is still waiting.
func (c *Committer) Run(ctx context.Context) {
	var writers sync.WaitGroup
	writers.Go(func() { c.events.lead(ctx) })
	writers.Go(func() { c.orders.lead(ctx) })
	writers.Go(func() { c.refunds.lead(ctx) })
	for range c.writers - 1 {
		writers.Go(func() { c.events.assist(ctx) })
		writers.Go(func() { c.orders.assist(ctx) })
	}
	writers.Wait()
}

// CommitEvents implements event.Committer.
func (c *Committer) CommitEvents(ctx context.Context, events []event.Event) (batch int64, statuses []event.Status, err error) {
	r, err := c.events.do(ctx, eventsRequest{events: events}, events[0].Project, len(events))
	return r.batch, r.statuses, err
}

// flushEvents writes and answers requests that share a transaction.
func (c *Committer) flushEvents(ctx context.Context, members []*member[eventsRequest]) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	ctx, span := traced(ctx, protocol.KindEvents, members)
	defer span.End()
	bisect(ctx, c.lockWait, members, func(ctx context.Context, members []*member[eventsRequest]) error {
		stored, err := c.store.StoreEvents(ctx, concatenate(members))
		if err != nil {
			return err
		}
		c.requests.Observe(float64(len(members)))
		if slices.Contains(stored.Statuses, event.Accepted) {
			c.waker.Wake(ctx)
		}
		rest := stored.Statuses
		for _, m := range members {
			n := len(m.request.events)
			m.request.batch = stored.Batches[m.request.events[0].Project]
			m.request.statuses, rest = rest[:n:n], rest[n:]
		}
		return nil
	})
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
