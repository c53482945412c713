// Package progress watches whether work gets done. A worker that is up but folds nothing while old batches wait is not
// healthy, whatever else it says.
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

// interval is how often the backlog is looked at.
const interval = 5 * time.Second

// Monitor measures the backlog and judges progress.
type Monitor struct {
	Pending  func(ctx context.Context) (postgres.Backlog, error)
	Last     func() time.Time // when this process last folded something
	Deadline time.Duration    // a batch that waits longer while nothing is folded means no progress
	Logger   *slog.Logger

	backlog               atomic.Pointer[postgres.Backlog]
	batches, rows, oldest prometheus.Gauge
}

// Register registers the backlog's gauges. They tell of the whole platform, so take the maximum over replicas.
func (m *Monitor) Register(registerer prometheus.Registerer) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "hpa_aggregator_" + name, Help: help})
	}
	m.batches = gauge("pending_batches", "Batches that wait to be folded.")
	m.rows = gauge("pending_events", "Events and purchases that wait to be folded.")
	m.oldest = gauge("oldest_pending_seconds", "Age of the oldest batch that waits to be folded.")
	registerer.MustRegister(m.batches, m.rows, m.oldest)
}

// Run measures until ctx ends.
func (m *Monitor) Run(ctx context.Context) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		m.measure(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (m *Monitor) measure(ctx context.Context) {
	backlog, err := m.Pending(ctx)
	if err != nil {
		if ctx.Err() == nil {
			m.Logger.WarnContext(ctx, "measuring the backlog", "err", err)
		}
		return
	}
	m.backlog.Store(&backlog)
	m.batches.Set(float64(backlog.Batches))
	m.rows.Set(float64(backlog.Rows))
	m.oldest.Set(backlog.Oldest.Seconds())
}

// Ready is a readiness check: it fails when a batch has waited for longer than the deadline and this process has folded
// nothing for as long.
func (m *Monitor) Ready(context.Context) error {
	backlog := m.backlog.Load()
	idle := time.Since(m.Last())
	if backlog == nil || backlog.Oldest <= m.Deadline || idle <= m.Deadline {
		return nil
	}
	return fmt.Errorf("%d batches wait, the oldest for %s, and nothing was folded here for %s",
		backlog.Batches, backlog.Oldest.Round(time.Second), idle.Round(time.Second))
}
