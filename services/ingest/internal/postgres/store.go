// Package postgres keeps events, purchases and their receipts. What a method has stored is committed when it returns.
package postgres

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/committer"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/products"
)

// Store is the ingest schema, and what ingest may see of the catalog. It is safe for concurrent use.
type Store struct {
	pool                    *pgxpool.Pool
	newEvents, newPurchases hope
	buffers                 copyBuffers
	seconds                 *prometheus.HistogramVec
	rows                    prometheus.Histogram
}

var (
	_ committer.Store = (*Store)(nil)
	_ products.Source = (*Store)(nil)
)

// New returns a store on pool, which stays the caller's to close.
func New(pool *pgxpool.Pool, registerer prometheus.Registerer) *Store {
	s := &Store{
		pool: pool,
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hpa_ingest_commit_duration_seconds",
			Help:    "Time from asking for a connection to the end of the transaction, failed ones included, by kind of rows.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"kind"}),
		rows: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "hpa_ingest_flush_rows",
			Help:    "Rows handed to one transaction.",
			Buckets: []float64{1, 4, 16, 64, 256, 1024},
		}),
	}
	registerer.MustRegister(s.seconds, s.rows)
	return s
}

// observe measures a transaction of rows that began at start.
func (s *Store) observe(kind string, rows int, start time.Time) {
	s.seconds.WithLabelValues(kind).Observe(time.Since(start).Seconds())
	s.rows.Observe(float64(rows))
}
