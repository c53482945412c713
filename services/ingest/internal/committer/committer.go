// Package committer is the group commit of ingest: concurrent requests share transactions. A commit costs a disk flush in
// Postgres and a round trip, whatever its size. Under load many requests share that cost; an idle service commits each
// request at once.
package committer

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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

// Waker wakes the aggregators after a commit. It is best effort and does not block: a lost call costs latency only.
type Waker interface {
	Wake()
}

// Options tune a committer.
type Options struct {
	Writers    int // transactions at the same time, by kind; all but the first only work on a backlog
	MaxWaiting int // rows that may wait for a writer; a request beyond that is answered with 503
}

// Committer implements event.Committer. Requests wait until Run runs.
type Committer struct {
	store    Store
	waker    Waker
	writers  int
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
	c := &Committer{store: store, waker: waker, writers: o.Writers, requests: prometheus.NewHistogram(prometheus.HistogramOpts{
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
	writers.Go(func() { c.events.write(ctx, c.events.ready) })
	writers.Go(func() { c.orders.write(ctx, c.orders.ready) })
	writers.Go(func() { c.refunds.write(ctx, c.refunds.ready) })
	for range c.writers - 1 {
		writers.Go(func() { c.events.write(ctx, c.events.backlogged) })
		writers.Go(func() { c.orders.write(ctx, c.orders.backlogged) })
	}
	writers.Wait()
}

// CommitEvents implements event.Committer.
func (c *Committer) CommitEvents(ctx context.Context, events []event.Event) (batch int64, statuses []event.Status, err error) {
	r, err := c.events.do(ctx, eventsRequest{events: events}, len(events))
	return r.batch, r.statuses, err
}

// flushEvents writes and answers requests that share a transaction.
func (c *Committer) flushEvents(ctx context.Context, members []*member[eventsRequest]) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	bisect(members, func(members []*member[eventsRequest]) error {
		stored, err := c.store.StoreEvents(ctx, concatenate(members))
		if err != nil {
			return err
		}
		c.requests.Observe(float64(len(members)))
		if slices.Contains(stored.Statuses, event.Accepted) {
			c.waker.Wake()
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

// bisect stores members in one transaction and answers them.
func bisect[R any](members []*member[R], store func([]*member[R]) error) {
	conclude(members, store(members), store)
}

// conclude answers members, whose transaction ended with err. If the content of one of them failed it, each half is stored on
// its own, and so on, until the member at fault is alone: k of n at fault cost O(k·log n) transactions, and every other
// member is stored. If the store names the rows at fault, the others are stored at once. Any other error but a locked row
// concerns all members, and halves would only meet it again.
func conclude[R any](members []*member[R], err error, store func([]*member[R]) error) {
	if obstacles, blocked := errors.AsType[event.BlockedError](err); blocked {
		if rest := setAside(members, obstacles); len(rest) > 0 {
			bisect(rest, store)
		}
		return
	}
	switch half := len(members) / 2; {
	case half > 0 && errors.Is(err, ErrContent):
		bisect(members[:half], store)
		bisect(members[half:], store)
	case half > 0 && errors.Is(err, ErrLocked):
		storeUnlocked(members, store)
	default:
		for _, m := range members {
			m.err = err
			close(m.done)
		}
	}
}

// lockedParts is into how many parts members are split if one has locked rows. Each attempt that includes such rows costs a
// wait for their lock, so few attempts may follow one another: three for the largest flush, twelve if it was halved.
const lockedParts = 16

// storeUnlocked stores the members whose rows are not locked, and answers all. It tries all parts before it splits one further, so that these
// members wait for few attempts of the others.
func storeUnlocked[R any](members []*member[R], store func([]*member[R]) error) {
	var locked [][]*member[R]
	for part := range slices.Chunk(members, (len(members)+lockedParts-1)/lockedParts) {
		err := store(part)
		if len(part) > 1 && errors.Is(err, ErrLocked) {
			locked = append(locked, part)
			continue
		}
		conclude(part, err, store)
	}
	for _, part := range locked {
		storeUnlocked(part, store)
	}
}

// setAside answers the members with obstacles, each with its own, and returns the others.
func setAside[R any](members []*member[R], obstacles event.BlockedError) (others []*member[R]) {
	first := 0 // row of the member
	for _, m := range members {
		own := event.BlockedError{}
		for i := range m.rows {
			if err, blocked := obstacles[first+i]; blocked {
				own[i] = err
			}
		}
		first += m.rows
		if len(own) == 0 {
			others = append(others, m)
			continue
		}
		m.err = own
		close(m.done)
	}
	return others
}
