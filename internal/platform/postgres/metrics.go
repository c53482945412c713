package postgres

import (
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// poolCollector exposes pgxpool statistics at scrape time.
type poolCollector struct {
	pool                                *pgxpool.Pool
	conns, max, acquires, waits, waited *prometheus.Desc
}

// NewPoolCollector returns a collector of the pool's statistics: connections by state, their limit, and how often and how
// long callers waited for a connection.
func NewPoolCollector(pool *pgxpool.Pool) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("hpa_postgres_pool_"+name, help, labels, nil)
	}
	return &poolCollector{
		pool:     pool,
		conns:    desc("connections", "Connections of the pool by state.", "state"),
		max:      desc("connections_max", "Limit of the pool (DATABASE_MAX_CONNS)."),
		acquires: desc("acquires_total", "Connections handed out."),
		waits:    desc("waits_total", "Acquires that had to wait because no connection was idle."),
		waited:   desc("acquire_seconds_total", "Total time spent in acquiring connections."),
	}
}

// Describe implements prometheus.Collector.
func (c *poolCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.conns, c.max, c.acquires, c.waits, c.waited} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *poolCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.pool.Stat()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	gauge(c.conns, float64(s.AcquiredConns()), "in_use")
	gauge(c.conns, float64(s.IdleConns()), "idle")
	gauge(c.conns, float64(s.ConstructingConns()), "connecting")
	gauge(c.max, float64(s.MaxConns()))
	counter(c.acquires, float64(s.AcquireCount()))
	counter(c.waits, float64(s.EmptyAcquireCount()))
	counter(c.waited, s.AcquireDuration().Seconds())
}
