// Package wakeup calls the aggregators when a batch is committed.
package wakeup

import (
	"context"
	"log/slog"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/migrations/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/committer"
)

// Waker enqueues one task for each batch. It is safe for concurrent use.
type Waker struct {
	tasks  *tasks.Client
	logger *slog.Logger
	outage redis.Outage
	lost   prometheus.Counter
}

var _ committer.Waker = (*Waker)(nil)

// New returns a waker.
func New(client *tasks.Client, logger *slog.Logger, registerer prometheus.Registerer) *Waker {
	w := &Waker{tasks: client, logger: logger, lost: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "hpa_ingest_wakeups_lost_total", Help: "Batches whose task could not be enqueued; the sweeper finds them.",
	})}
	registerer.MustRegister(w.lost)
	return w
}

// Wake implements committer.Waker. While Redis is away it costs one timeout a second for all requests together, and the
// batches wait for the sweeper.
func (w *Waker) Wake(ctx context.Context, batch uuid.UUID) {
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
