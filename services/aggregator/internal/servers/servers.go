// Package servers measures what all services share: the servers of Postgres and of Redis. It reads what any role may, so that an
// installation needs no other exporter to see them.
package servers

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// interval is the time between two measurements. The size of the database is the sum of its files, so it is not asked for more often.
	interval = 15 * time.Second
	// timeout is how long a measurement of a server may take.
	timeout = 5 * time.Second
)

// Monitor measures the servers. Every replica measures the same, so take the maximum over them. A server that cannot be measured has
// no metrics, rather than old ones.
type Monitor struct {
	sources []*source
	logger  *slog.Logger
}

// source is a server, with what was measured last.
type source struct {
	name    string
	measure func(ctx context.Context) ([]prometheus.Metric, error)
	last    atomic.Pointer[[]prometheus.Metric] // nil if the last measurement failed
	failed  prometheus.Counter
}

// New returns a monitor of both servers. They are measured while Run runs.
func New(postgres Postgres, redis Redis, logger *slog.Logger, registerer prometheus.Registerer) *Monitor {
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hpa_server_errors_total", Help: "Measurements of a server that failed, by server: postgres or redis.",
	}, []string{"server"})
	m := &Monitor{logger: logger, sources: []*source{
		{name: "postgres", measure: postgres.measure, failed: failures.WithLabelValues("postgres")},
		{name: "redis", measure: redis.measure, failed: failures.WithLabelValues("redis")},
	}}
	registerer.MustRegister(failures, m)
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
	for _, s := range m.sources {
		within, cancel := context.WithTimeout(ctx, timeout)
		metrics, err := s.measure(within)
		cancel()
		if err != nil {
			s.last.Store(nil)
			if ctx.Err() == nil {
				s.failed.Inc()
				m.logger.WarnContext(ctx, "measure a server", "server", s.name, "err", err)
			}
			continue
		}
		s.last.Store(&metrics)
	}
}

// Describe implements prometheus.Collector.
func (m *Monitor) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range append(postgresMetrics.descs(), redisMetrics.descs()...) {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *Monitor) Collect(ch chan<- prometheus.Metric) {
	for _, s := range m.sources {
		if last := s.last.Load(); last != nil {
			for _, metric := range *last {
				ch <- metric
			}
		}
	}
}

// metric is a number that a server tells.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func gauge(name, help string) metric {
	return metric{prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue}
}

// counter is a total that begins again when the server restarts.
func counter(name, help string) metric {
	return metric{prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue}
}

func (m metric) of(value float64) prometheus.Metric {
	return prometheus.MustNewConstMetric(m.desc, m.kind, value)
}
