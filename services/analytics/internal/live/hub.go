// Package live shows the events, orders and refunds of projects to viewers as they are committed. One poller reads for all viewers of a process, while there
// are any: batches in the order of their receipt, up to the watermark, so that no batch that is committed later is skipped. The newest items
// of each project are in a ring of bounded size, from which its viewers take what they look at. A viewer that comes back reads what it has
// missed from the database until it has reached the ring.
package live

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

const (
	// pollInterval is the time between two reads of the poller.
	pollInterval = 300 * time.Millisecond
	// pollTimeout bounds one of them.
	pollTimeout = 10 * time.Second
	// memory is how long ago a viewer may have left to get everything that it has missed. The poller skips what is older than that, too,
	// after a writer was stuck for so long.
	memory = 15 * time.Minute
	// catchingUp is how many viewers of a process read what they have missed at the same time. Others wait.
	catchingUp = 2
)

// Limits bound the viewers of a process.
type Limits struct {
	Viewers int // of all projects
	Project int // of one project
}

var (
	errTooMany     = errs.New(errs.Unavailable, "too_many_readers", "Too many readers look at live events already. Try again later.").After(30 * time.Second)
	errUnavailable = errs.New(errs.Unavailable, "unavailable", "The events cannot be read at the moment. Try again.").After(2 * time.Second)
)

// Hub serves the viewers of a process, while Run runs. It is safe for concurrent use.
type Hub struct {
	source  Source
	limits  Limits
	logger  *slog.Logger
	joined  chan struct{} // holds a signal while there may be a feed that has not started
	reading chan struct{} // holds a value for each viewer that reads what it has missed

	mu      sync.Mutex
	feeds   map[int16]*feed // of the projects with viewers
	viewers int

	sent, dropped prometheus.Counter
	lag           prometheus.Gauge
}

// New returns a hub.
func New(source Source, limits Limits, logger *slog.Logger, registerer prometheus.Registerer) *Hub {
	h := &Hub{
		source: source, limits: limits, logger: logger, joined: make(chan struct{}, 1), reading: make(chan struct{}, catchingUp), feeds: map[int16]*feed{},
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_live_events_sent_total", Help: "Events, orders and refunds that were sent to readers of live events.",
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_live_gaps_total", Help: "How often a reader of live events missed some because it was too slow or had been away for too long.",
		}),
	}
	h.lag = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "hpa_live_lag_seconds", Help: "Age of the newest events that the streams of live events have; 0 without readers.",
	})
	registerer.MustRegister(h.sent, h.dropped, h.lag, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hpa_live_readers", Help: "Readers of live events now.",
	}, func() float64 {
		h.mu.Lock()
		defer h.mu.Unlock()
		return float64(h.viewers)
	}))
	return h
}

// Run polls until ctx ends.
func (h *Hub) Run(ctx context.Context) {
	var head Position // of all feeds that have started; without a time if none has
	for ctx.Err() == nil {
		if !h.watched() {
			head = Position{}
			h.lag.Set(0)
			select {
			case <-h.joined:
			case <-ctx.Done():
			}
			continue
		}
		pause := pollInterval
		next, complete, err := h.poll(ctx, head)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			h.logger.WarnContext(ctx, "live events cannot be read; their readers are sent away", "err", err)
			h.failAll()
			head = Position{}
			continue
		case !complete:
			pause = 0
		}
		head = next
		h.lag.Set(max(0, time.Since(head.Received).Seconds()))
		select {
		case <-h.joined:
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// poll reads what was committed behind head, and gives it to the feeds. Feeds that have not started start at the position that it returns.
func (h *Hub) poll(ctx context.Context, head Position) (next Position, complete bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	h.mu.Lock()
	var projects []int16
	for project, f := range h.feeds {
		if f.started {
			projects = append(projects, project)
		}
	}
	h.mu.Unlock()
	until, err := h.source.CommittedUntil(ctx)
	if err != nil {
		return Position{}, false, err
	}
	next, complete = at(until), true
	var batches []Batch
	skipped := len(projects) > 0 && until.Sub(head.Received) > memory
	switch {
	case len(projects) == 0 || skipped:
	case next.Compare(head) <= 0: // the watermark has not moved
		next = head
	default:
		slices.Sort(projects)
		if batches, complete, err = h.source.Batches(ctx, projects, head, until); err != nil {
			return Position{}, false, err
		}
		if !complete {
			next = endOf(batches[len(batches)-1])
		}
	}
	h.deliver(projects, batches, next, skipped)
	return next, complete, nil
}

// deliver adds what was read for some projects to their feeds.
func (h *Hub) deliver(projects []int16, batches []Batch, head Position, skipped bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range batches {
		if f := h.feeds[b.Project]; f != nil && f.started {
			for _, item := range itemsOf(b, f.head) {
				f.append(item)
			}
		}
	}
	for project, f := range h.feeds {
		switch {
		case !f.started:
			f.start(head)
		case slices.Contains(projects, project):
			if skipped {
				f.append(Item{Kind: Gap, Position: head, Count: -1})
			}
			f.head = head
			f.announce()
		}
	}
}

// failAll sends all viewers away.
func (h *Hub) failAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for project, f := range h.feeds {
		f.fail(errUnavailable)
		delete(h.feeds, project)
	}
}

func (h *Hub) watched() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.feeds) > 0
}

// enter returns the feed of a project with one more viewer.
func (h *Hub) enter(project int16) (*feed, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.feeds[project]
	if h.viewers >= h.limits.Viewers || f != nil && f.viewers >= h.limits.Project {
		return nil, errTooMany
	}
	if f == nil {
		f = newFeed()
		h.feeds[project] = f
	}
	f.viewers++
	h.viewers++
	select {
	case h.joined <- struct{}{}:
	default:
	}
	return f, nil
}

// leave takes a viewer from a feed, which is dropped with the last one.
func (h *Hub) leave(project int16, f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.viewers--
	if f.viewers--; f.viewers == 0 && h.feeds[project] == f {
		delete(h.feeds, project)
	}
}
