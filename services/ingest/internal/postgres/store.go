// Package postgres keeps events, orders, refunds and their receipts. What a method has stored is committed when it returns.
package postgres

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/committer"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/products"
)

// Store is the ingest schema, and what ingest may see of the catalog. It is safe for concurrent use.
type Store struct {
	pool    *pgxpool.Pool
	events  optimism
	dropped droppedDays
	ids     batchIDs
	seen    firstSeen
	buffers parameterPool
	seconds *prometheus.HistogramVec
	rows    prometheus.Histogram
}

var (
	_ committer.Store = (*Store)(nil)
	_ event.Days      = (*Store)(nil)
	_ order.Archive   = (*Store)(nil)
	_ products.Source = (*Store)(nil)
)

// New returns a store on pool. The caller closes the pool.
func New(pool *pgxpool.Pool, registerer prometheus.Registerer) *Store {
	s := &Store{
		pool: pool,
		seen: newFirstSeen(),
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

// classify gives the error of a write its kind, and marks it as committer.ErrContent or committer.ErrLocked if other rows could be stored.
func classify(err error) error {
	err = postgres.Classify(err)
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == postgres.LockNotAvailable && pgErr.Where != "" {
		return fmt.Errorf("%w: %w", committer.ErrLocked, err)
	}
	if causedByContent(err) {
		return fmt.Errorf("%w: %w", committer.ErrContent, err)
	}
	return err
}

// causedByContent reports whether a value of some row fails a write, as opposed to the state of the database, which fails
// every write: an outage, missing rights, a missing column.
func causedByContent(err error) bool {
	if err == nil || errs.Is(err, errs.Unavailable) {
		return false
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		// The classes data exception, integrity constraint violation and program limit exceeded.
		return slices.ContainsFunc([]string{"22", "23", "54"}, func(class string) bool {
			return strings.HasPrefix(pgErr.Code, class)
		})
	}
	return true // pgx could not encode a value
}
