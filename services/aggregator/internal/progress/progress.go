// Package progress watches whether batches are folded. A worker that is up but folds nothing while old batches are pending
// is not healthy, whatever its other checks say.
package progress

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// interval is the time between two measurements of the backlog.
const interval = 5 * time.Second

// Options say what a Monitor measures and when it calls that a lack of progress.
type Options struct {
	Pending func(ctx context.Context) (postgres.Backlog, error)
	// Reconciled returns what the last reconciliations have found.
	Reconciled func(ctx context.Context) (postgres.Reconciled, error)
	// Erasures returns which erasures of users are open.
	Erasures func(ctx context.Context) (postgres.Erasures, error)
	Last     func() time.Time // when this process last folded something
	Deadline time.Duration    // a batch that is pending for longer, while nothing is folded, means no progress
	Logger   *slog.Logger
}

// Monitor measures the backlog and judges progress.
type Monitor struct {
	options               Options
	backlog               atomic.Pointer[postgres.Backlog] // nil before the first measurement
	batches, rows, oldest prometheus.Gauge
	failedBatches         prometheus.Gauge
	failedRows            prometheus.Gauge
	unmerged              prometheus.Gauge
	names                 prometheus.Gauge
	reconciled            prometheus.Gauge
	differences           prometheus.Gauge
	erasures              prometheus.Gauge
	oldestErasure         prometheus.Gauge
}

// New returns a monitor. Its gauges describe the whole platform, so take the maximum over replicas, not the sum.
func New(options Options, registerer prometheus.Registerer) *Monitor {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "hpa_aggregator_" + name, Help: help})
	}
	m := &Monitor{
		options:       options,
		batches:       gauge("pending_batches", "Batches that wait to be folded."),
		rows:          gauge("pending_events", "Events and purchases that wait to be folded."),
		oldest:        gauge("oldest_pending_seconds", "Age of the oldest batch that waits to be folded."),
		failedBatches: gauge("failed_batches", "Batches that cannot be folded and are set aside (hp-analytics batches list)."),
		failedRows:    gauge("failed_events", "Events and purchases of the batches that are set aside; they are missing from the numbers."),
		unmerged:      gauge("unmerged_segments", "Segments of rollups that folds made and that are not merged yet. Rankings read each of them."),
		names:         gauge("event_names", "Names of events of the project that has the most of them, those with a counter of their own excepted. New ones are refused from 10000 on."),
		reconciled:    gauge("reconcile_timestamp_seconds", "When the project that was recounted as a whole longest ago was (hp-analytics reconcile without days); 0 if none was."),
		differences:   gauge("reconcile_differences", "Differences that the newest reconcile of all days of each project has found, together."),
		erasures:      gauge("open_erasures", "Erasures of users that were asked for and are not done."),
		oldestErasure: gauge("oldest_erasure_seconds", "How long ago the oldest erasure that is not done was asked for; 0 if there is none."),
	}
	registerer.MustRegister(m.batches, m.rows, m.oldest, m.failedBatches, m.failedRows, m.unmerged, m.names, m.reconciled, m.differences, m.erasures, m.oldestErasure)
	return m
}

// Run measures until ctx ends.
func (m *Monitor) Run(ctx context.Context) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		m.measure(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (m *Monitor) measure(ctx context.Context) {
	backlog, err := m.options.Pending(ctx)
	if err != nil {
		if ctx.Err() == nil {
			m.options.Logger.WarnContext(ctx, "measure the backlog", "err", err)
		}
		return
	}
	m.backlog.Store(&backlog)
	m.batches.Set(float64(backlog.Batches))
	m.rows.Set(float64(backlog.Rows))
	m.oldest.Set(backlog.Oldest.Seconds())
	m.failedBatches.Set(float64(backlog.FailedBatches))
	m.failedRows.Set(float64(backlog.FailedRows))
	m.unmerged.Set(float64(backlog.UnmergedSegments))
	m.names.Set(float64(max(0, backlog.Names)))
	m.measureReconciled(ctx)
	m.measureErasures(ctx)
}

func (m *Monitor) measureReconciled(ctx context.Context) {
	r, err := m.options.Reconciled(ctx)
	if err != nil {
		if ctx.Err() == nil {
			m.options.Logger.WarnContext(ctx, "measure the last reconcile", "err", err)
		}
		return
	}
	if !r.Oldest.IsZero() {
		m.reconciled.Set(float64(r.Oldest.Unix()))
	}
	m.differences.Set(float64(r.Differences))
}

func (m *Monitor) measureErasures(ctx context.Context) {
	e, err := m.options.Erasures(ctx)
	if err != nil {
		if ctx.Err() == nil {
			m.options.Logger.WarnContext(ctx, "measure the erasures", "err", err)
		}
		return
	}
	m.erasures.Set(float64(e.Open))
	m.oldestErasure.Set(e.Oldest.Seconds())
}

// Ready is a readiness check: it fails when a batch has been pending, and this process has folded nothing, for longer than
// the deadline.
func (m *Monitor) Ready(context.Context) error {
	backlog := m.backlog.Load()
	idle := time.Since(m.options.Last())
	if backlog == nil || backlog.Oldest <= m.options.Deadline || idle <= m.options.Deadline {
		return nil
	}
	return fmt.Errorf("%d batches are pending, the oldest for %s, and this process has folded nothing for %s",
		backlog.Batches, backlog.Oldest.Round(time.Second), idle.Round(time.Second))
}
