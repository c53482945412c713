// Package wakeup calls the aggregators when something was committed.
package wakeup

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/committer"
)

// pause is the shortest time between two tasks of one process. Whoever runs a task folds all that is pending, up to tens
// of thousands of rows, so more tasks would not mean more work done, but each costs Redis and a worker more than storing
// an event does. When work piles up in spite of that, the aggregator's sweeper adds tasks in step with it.
const pause = 200 * time.Millisecond

// Waker enqueues tasks: at once for a batch that comes alone, and one for all batches of a pause under load. It works
// while Run does, and is safe for concurrent use.
type Waker struct {
	tasks   *tasks.Client
	logger  *slog.Logger
	outage  redis.Outage
	waiting chan uuid.UUID // holds the batch of the next task; it stands for those that come meanwhile
	lost    prometheus.Counter
}

var _ committer.Waker = (*Waker)(nil)

// New returns a waker.
func New(client *tasks.Client, logger *slog.Logger, registerer prometheus.Registerer) *Waker {
	w := &Waker{
		tasks: client, logger: logger, waiting: make(chan uuid.UUID, 1),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_ingest_wakeups_lost_total", Help: "Tasks that could not be enqueued; the sweeper folds their batches.",
		}),
	}
	registerer.MustRegister(w.lost)
	return w
}

// Wake implements committer.Waker. It does not wait for Redis.
func (w *Waker) Wake(batch uuid.UUID) {
	select {
	case w.waiting <- batch:
	default: // the task that waits will be enqueued after this commit, too
	}
}

// Run enqueues until ctx ends. While Redis is away it tries once a second, and the batches wait for the sweeper.
func (w *Waker) Run(ctx context.Context) {
	for {
		select {
		case batch := <-w.waiting:
			w.enqueue(ctx, batch)
		case <-ctx.Done():
			select {
			case batch := <-w.waiting:
				w.enqueue(ctx, batch)
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

func (w *Waker) enqueue(ctx context.Context, batch uuid.UUID) {
	if w.outage.Ongoing() {
		w.lost.Inc()
		return
	}
	if err := protocol.BatchReady.Enqueue(ctx, w.tasks, protocol.BatchReadyPayload{BatchID: batch}); err != nil {
		w.outage.Begin()
		w.lost.Inc()
		w.logger.WarnContext(ctx, "wake-up lost", "batch_id", batch, "err", err)
	}
}
