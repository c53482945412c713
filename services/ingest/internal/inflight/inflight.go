// Package inflight bounds the memory that requests take before they are answered.
package inflight

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// ErrFull is the answer to a request that does not fit. It is refused at once, because a waiting request needs memory too.
var ErrFull = errs.New(errs.Unavailable, "overloaded", "There is more to store than fits into memory right now. Try again shortly.")

// Budget is a number of bytes that requests share. It is safe for concurrent use.
type Budget struct {
	limit  int64
	used   atomic.Int64
	denied prometheus.Counter
}

// NewBudget returns a budget of limit bytes.
func NewBudget(limit int64, registerer prometheus.Registerer) *Budget {
	b := &Budget{limit: limit, denied: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "hpa_ingest_overloads_total", Help: "Requests turned away because those in flight use all the memory they may (INGEST_MAX_INFLIGHT_BYTES).",
	})}
	registerer.MustRegister(b.denied,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "hpa_ingest_inflight_bytes", Help: "Bytes of request bodies in memory, decoded, with an allowance for each request.",
		}, func() float64 { return float64(b.used.Load()) }))
	return b
}

// Lease is the part of a budget that one request holds. It is not safe for concurrent use.
type Lease struct {
	budget *Budget
	held   int64
}

// Lease returns an empty lease. Release must be called when the request is done.
func (b *Budget) Lease() *Lease { return &Lease{budget: b} }

// Grow takes n bytes more, or returns ErrFull and takes nothing.
func (l *Lease) Grow(n int64) error {
	if l.budget.used.Add(n) > l.budget.limit {
		l.budget.used.Add(-n)
		l.budget.denied.Inc()
		return ErrFull
	}
	l.held += n
	return nil
}

// Held returns how many bytes are taken now.
func (l *Lease) Held() int64 { return l.held }

// Shrink gives n bytes back, which were taken before.
func (l *Lease) Shrink(n int64) {
	l.budget.used.Add(-n)
	l.held -= n
}

// Release gives everything back.
func (l *Lease) Release() {
	l.budget.used.Add(-l.held)
	l.held = 0
}
