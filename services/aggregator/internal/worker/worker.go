// Package worker runs folds when wake-up tasks arrive.
package worker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// Store folds pending batches, and failed ones whose time has come.
type Store interface {
	Fold(ctx context.Context) (postgres.Folded, error)
	RetryFailed(ctx context.Context) (postgres.Folded, error)
}

// Versions invalidates the cached answers that a fold makes stale.
type Versions interface {
	Publish(ctx context.Context, changed rollup.Changed) error
}

// Worker folds, then invalidates caches. It is safe for concurrent use.
type Worker struct {
	store    Store
	versions Versions
	logger   *slog.Logger
	last     atomic.Int64 // unix nanoseconds of the last fold that did something

	rows, batches, failures, unpublished prometheus.Counter
	outcomes                             *prometheus.CounterVec
	duration                             prometheus.Histogram
}

// New returns a worker. Last returns the present at first, so a new process gets the full progress deadline.
func New(store Store, versions Versions, logger *slog.Logger, registerer prometheus.Registerer) *Worker {
	w := &Worker{
		store: store, versions: versions, logger: logger,
		rows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_aggregator_folded_rows_total", Help: "Events and lines of orders and refunds folded into the rollups.",
		}),
		batches: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_aggregator_folded_batches_total", Help: "Batches folded into the rollups.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_aggregator_batch_failures_total", Help: "Attempts to fold one batch alone that failed because of its content.",
		}),
		unpublished: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_aggregator_version_errors_total", Help: "Folds whose version tokens could not be published; cached answers expire instead.",
		}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hpa_aggregator_folds_total", Help: "Folds by outcome: folded, nothing pending, no free lane, or error.",
		}, []string{"outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hpa_aggregator_fold_duration_seconds", Help: "Time of a fold that did something.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
	}
	registerer.MustRegister(w.rows, w.batches, w.failures, w.unpublished, w.outcomes, w.duration)
	w.last.Store(time.Now().UnixNano())
	return w
}

// Last returns when this process last folded something.
func (w *Worker) Last() time.Time { return time.Unix(0, w.last.Load()) }

// Fold folds once, and reports whether there was anything to fold.
func (w *Worker) Fold(ctx context.Context) (bool, error) { return w.run(ctx, w.store.Fold) }

// RetryFailed folds the failed batches whose time has come.
func (w *Worker) RetryFailed(ctx context.Context) error {
	_, err := w.run(ctx, w.store.RetryFailed)
	return err
}

// run folds with fold. What is committed counts and is published, whatever came after it.
func (w *Worker) run(ctx context.Context, fold func(context.Context) (postgres.Folded, error)) (bool, error) {
	// In the trace of the task; a fold of the sweeper is in none.
	tracer := trace.SpanFromContext(ctx).TracerProvider().Tracer("github.com/hp-analytics/hp-analytics/services/aggregator/internal/worker")
	ctx, span := tracer.Start(ctx, "fold", trace.WithLinks(tasks.Links(ctx)...))
	defer span.End()
	begin := time.Now()
	done, err := fold(ctx)
	did := done.Batches > 0 || len(done.Failed) > 0
	span.SetAttributes(attribute.Int("hpa.batches", done.Batches), attribute.Int("hpa.rows", done.Rows), attribute.Int("hpa.failed_batches", len(done.Failed)))
	switch {
	case err != nil:
		w.outcomes.WithLabelValues("error").Inc()
	case done.NoLane && !did:
		w.outcomes.WithLabelValues("no_lane").Inc()
	case !did:
		w.outcomes.WithLabelValues("nothing").Inc()
	default:
		w.outcomes.WithLabelValues("folded").Inc()
		w.duration.Observe(time.Since(begin).Seconds())
	}
	for _, f := range done.Failed {
		w.failures.Inc()
		w.logger.ErrorContext(ctx, "a batch cannot be folded and is set aside", "project", f.Project, "batch", f.Batch, "attempts", f.Attempts, "next_attempt", f.Next, "err", f.Err)
	}
	if did {
		w.last.Store(time.Now().UnixNano())
	}
	if done.Batches > 0 {
		w.counted(ctx, done, time.Since(begin))
	}
	return did, err
}

// counted records what a fold committed and invalidates the caches.
func (w *Worker) counted(ctx context.Context, done postgres.Folded, took time.Duration) {
	w.batches.Add(float64(done.Batches))
	w.rows.Add(float64(done.Rows))
	if err := w.versions.Publish(ctx, done.Changed); err != nil {
		w.unpublished.Inc()
		w.logger.WarnContext(ctx, "cached answers could not be invalidated and expire instead", "err", err)
	}
	w.logger.DebugContext(ctx, "folded", "batches", done.Batches, "rows", done.Rows, "parts", done.Parts, "bytes", done.Bytes, "duration", took)
}
