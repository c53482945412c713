// Package folded lets requests wait until their rows are part of the rollups. One query per pollInterval serves all waiting
// requests; without waiters there are no queries.
package folded

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// pollInterval is how often Postgres is queried. It is the most that waiting adds to the duration of a fold.
	pollInterval = 20 * time.Millisecond
	// errorInterval is how often Postgres is queried while queries fail.
	errorInterval = 250 * time.Millisecond
	// pollTimeout bounds one query. The query is cheap: if it takes this long, Postgres is down.
	pollTimeout = 2 * time.Second
)

// Store knows which batches are folded.
type Store interface {
	// Pending returns those of batches that are not folded yet. All of them were committed before.
	Pending(ctx context.Context, batches []int64) ([]int64, error)
}

// Options bound what waiting may cost.
type Options struct {
	Timeout    time.Duration // of one caller
	MaxBatches int           // bounds the batches of all waiting callers; a batch counts once for each caller
}

// Watcher polls the batches that callers wait for, while Run runs. It is safe for concurrent use.
type Watcher struct {
	store   Store
	options Options
	logger  *slog.Logger
	joined  chan struct{} // holds a signal while there may be waiters

	mu      sync.Mutex
	waiters map[*waiter]struct{}
	batches int // of all waiters
	closed  bool

	outcomes *prometheus.CounterVec
}

// waiter is one waiting caller. The watcher owns batches from join until done is closed or the waiter has left.
type waiter struct {
	batches map[int64]struct{} // not known to be folded
	places  int                // its share of MaxBatches until it leaves
	done    chan struct{}      // closed when all are folded, or when the watcher stops
	folded  bool               // valid after done is closed
}

// New returns a watcher.
func New(store Store, o Options, logger *slog.Logger, registerer prometheus.Registerer) *Watcher {
	w := &Watcher{
		store: store, options: o, logger: logger,
		joined: make(chan struct{}, 1), waiters: make(map[*waiter]struct{}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hpa_ingest_waits_total",
			Help: "Requests that waited for aggregation, by outcome: folded, late (not within INGEST_WAIT_TIMEOUT), gone (the client), or turned away because too many wait.",
		}, []string{"outcome"}),
	}
	registerer.MustRegister(w.outcomes, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hpa_ingest_waiters", Help: "Requests that wait for aggregation now.",
	}, func() float64 { return float64(w.waiting()) }))
	return w
}

func (w *Watcher) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiters)
}

// Wait waits until all of batches, which must be committed, are folded, and reports whether they are. It reports false
// when that takes longer than the watcher's timeout, when ctx ends, or when too many wait already.
func (w *Watcher) Wait(ctx context.Context, batches ...int64) bool {
	outcome := w.wait(ctx, batches)
	w.outcomes.WithLabelValues(outcome).Inc()
	return outcome == "folded"
}

func (w *Watcher) wait(ctx context.Context, batches []int64) (outcome string) {
	if len(batches) == 0 {
		return "folded"
	}
	one := &waiter{batches: make(map[int64]struct{}, len(batches)), done: make(chan struct{})}
	for _, id := range batches {
		one.batches[id] = struct{}{}
	}
	one.places = len(one.batches)
	if !w.join(one) {
		return "turned_away"
	}
	defer w.leave(one)
	timeout := time.NewTimer(w.options.Timeout)
	defer timeout.Stop()
	select {
	case <-one.done:
		if one.folded {
			return "folded"
		}
		return "turned_away"
	case <-timeout.C:
		return "late"
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return "late"
		}
		return "gone"
	}
}

func (w *Watcher) join(one *waiter) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.batches+one.places > w.options.MaxBatches {
		return false
	}
	w.waiters[one] = struct{}{}
	w.batches += one.places
	select {
	case w.joined <- struct{}{}:
	default:
	}
	return true
}

func (w *Watcher) leave(one *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waiters, one)
	w.batches -= one.places
}

// Run polls while there are waiters, until ctx ends. Then all waits end at once, as not folded.
func (w *Watcher) Run(ctx context.Context) {
	defer w.close()
	failing := false
	for {
		select {
		case <-w.joined:
		case <-ctx.Done():
			return
		}
		for asked, err := w.poll(ctx); asked; asked, err = w.poll(ctx) {
			pause := pollInterval
			if err != nil {
				pause = errorInterval
				if !failing && ctx.Err() == nil {
					w.logger.WarnContext(ctx, "poll pending batches, requests with ?wait=aggregated answer late", "err", err)
				}
			}
			failing = err != nil
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
		}
	}
}

// poll queries the batches of all current waiters. It reports false if there are none.
func (w *Watcher) poll(ctx context.Context) (asked bool, err error) {
	waiters, batches := w.snapshot()
	if len(waiters) == 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	pending, err := w.store.Pending(ctx, batches)
	if err != nil {
		return true, err
	}
	w.tell(waiters, pending)
	return true, nil
}

// snapshot returns the current waiters and their batches. A waiter that joins later is part of the next poll.
func (w *Watcher) snapshot() ([]*waiter, []int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	waiters, batches := make([]*waiter, 0, len(w.waiters)), make([]int64, 0, w.batches)
	seen := make(map[int64]struct{}, w.batches)
	for one := range w.waiters {
		waiters = append(waiters, one)
		for id := range one.batches {
			if _, again := seen[id]; !again {
				seen[id] = struct{}{}
				batches = append(batches, id)
			}
		}
	}
	return waiters, batches
}

// tell removes batches that are no longer pending from the waiters, and ends the waits that have none left.
func (w *Watcher) tell(waiters []*waiter, pending []int64) {
	still := make(map[int64]struct{}, len(pending))
	for _, id := range pending {
		still[id] = struct{}{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range waiters {
		if _, waits := w.waiters[one]; !waits {
			continue
		}
		for id := range one.batches {
			if _, ok := still[id]; !ok {
				delete(one.batches, id)
			}
		}
		if len(one.batches) == 0 {
			delete(w.waiters, one)
			one.folded = true
			close(one.done)
		}
	}
}

// close ends all waits, and refuses later ones.
func (w *Watcher) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for one := range w.waiters {
		delete(w.waiters, one)
		close(one.done)
	}
}
