// Package wakeup enqueues the tasks that wake the aggregators after a commit.
package wakeup

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/committer"
)

// pause is the shortest time between two tasks of one process. A task folds everything that is pending, up to tens of
// thousands of rows, so more tasks would not get more work done, and each costs Redis and a worker more than storing an
// event does. The events of a longer pause are also about fewer products and users each: with 200 ms, a single event cost 15 % more
// CPU in all. Numbers are to be seen within a second, half of which analytics may trust a version token. If a backlog builds up all the same, the aggregator's sweeper adds tasks in proportion to it.
const pause = 400 * time.Millisecond

// maxLinks bounds the flushes that a task is linked to.
const maxLinks = 32

// Waker enqueues tasks: at once after a single commit, and one task per pause under load. It enqueues while Run runs,
// and is safe for concurrent use.
type Waker struct {
	tasks  *tasks.Client
	logger *slog.Logger
	outage redis.Outage
	wanted chan struct{} // holds a signal while a task is to be enqueued; further calls coalesce into it
	lost   prometheus.Counter

	mu      sync.Mutex
	flushes []trace.Span // traced ones that the next task is for, at most maxLinks
}

var _ committer.Waker = (*Waker)(nil)

// New returns a waker.
func New(client *tasks.Client, logger *slog.Logger, registerer prometheus.Registerer) *Waker {
	w := &Waker{
		tasks: client, logger: logger, wanted: make(chan struct{}, 1),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_ingest_wakeups_lost_total", Help: "Tasks that could not be enqueued; the sweeper folds their batches.",
		}),
	}
	registerer.MustRegister(w.lost)
	return w
}

// Wake implements committer.Waker. It does not wait for Redis.
func (w *Waker) Wake(ctx context.Context) {
	if flush := trace.SpanFromContext(ctx); flush.SpanContext().IsSampled() {
		w.mu.Lock()
		if len(w.flushes) < maxLinks {
			w.flushes = append(w.flushes, flush)
		}
		w.mu.Unlock()
	}
	select {
	case w.wanted <- struct{}{}:
	default: // the task already wanted is enqueued later than this commit, so it covers it
	}
}

// Run enqueues tasks until ctx ends, and then the one that is still wanted. While Redis is down it tries once a second,
// and the sweeper finds the batches.
func (w *Waker) Run(ctx context.Context) {
	for {
		select {
		case <-w.wanted:
			w.enqueue(ctx)
		case <-ctx.Done():
			select {
			case <-w.wanted:
				w.enqueue(ctx)
			default:
			}
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

func (w *Waker) enqueue(ctx context.Context) {
	ctx, span, links := w.traced(ctx)
	defer span.End()
	if w.outage.Ongoing() {
		w.lost.Inc()
		return
	}
	if err := protocol.BatchReady.Enqueue(ctx, w.tasks, links...); err != nil {
		w.outage.Begin()
		w.lost.Inc()
		w.logger.WarnContext(ctx, "wake-up task lost, the sweeper folds the batch", "err", err)
	}
}

// traced starts the span of a task, in the trace of the first flush that it is for, and returns links to all of them. Without a
// traced flush there is no span.
func (w *Waker) traced(ctx context.Context) (context.Context, trace.Span, []trace.Link) {
	w.mu.Lock()
	flushes := w.flushes
	w.flushes = nil
	w.mu.Unlock()
	if len(flushes) == 0 {
		return ctx, trace.SpanFromContext(ctx), nil
	}
	links := make([]trace.Link, len(flushes))
	for i, flush := range flushes {
		links[i] = trace.Link{SpanContext: flush.SpanContext()}
	}
	tracer := flushes[0].TracerProvider().Tracer("github.com/hp-analytics/hp-analytics/services/ingest/internal/wakeup")
	ctx, span := tracer.Start(trace.ContextWithSpan(ctx, flushes[0]), "enqueue "+protocol.BatchReady.Name, //nolint:spancheck // the caller ends it
		trace.WithSpanKind(trace.SpanKindProducer), trace.WithLinks(links[1:]...))
	return ctx, span, links //nolint:spancheck // the caller ends it
}
