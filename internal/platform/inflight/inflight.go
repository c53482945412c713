// Package inflight bounds the memory that requests take before they are answered, of all of them and of each caller.
package inflight

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// The answers to a request that does not fit. It is refused at once, because a waiting request needs memory too.
var (
	// ErrFull tells that all requests together hold as much as they may.
	ErrFull = errs.New(errs.Unavailable, "overloaded", "There is more to store than fits into memory right now. Try again shortly.")
	// ErrShare tells that the requests of one caller, or of one address, do.
	ErrShare = errs.New(errs.TooMany, "too_much_in_flight",
		"Your requests in flight hold as much memory as one caller or one address may. Let some of them end first.").After(time.Second)
)

// Limits are numbers of bytes.
type Limits struct {
	Total   int64 // of all requests
	Caller  int64 // of the requests of one caller
	Address int64 // of the requests from one address
}

// Holder is who holds the memory of a request.
type Holder struct{ Caller, Address string }

// Budget is the memory that requests share. It is safe for concurrent use.
type Budget struct {
	limits    Limits
	used      atomic.Int64
	callers   shares
	addresses shares
	denied    prometheus.Counter
	greedy    prometheus.Counter
}

// NewBudget returns a budget of a service. Its metrics and settings begin with the name of the service.
func NewBudget(service string, limits Limits, registerer prometheus.Registerer) *Budget {
	metric, setting := "hpa_"+service, strings.ToUpper(service)
	b := &Budget{
		limits: limits,
		denied: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metric + "_overloads_total",
			Help: "Requests turned away because those in flight use all the memory they may (" + setting + "_MAX_INFLIGHT_BYTES).",
		}),
		greedy: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metric + "_shares_exceeded_total",
			Help: "Requests turned away because their caller or address has as much in flight as one may.",
		}),
	}
	registerer.MustRegister(b.denied, b.greedy,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: metric + "_inflight_bytes", Help: "Bytes of request bodies in memory, decoded, with an allowance for each request.",
		}, func() float64 { return float64(b.used.Load()) }))
	return b
}

// Lease is the part of a budget that one request holds. It is not safe for concurrent use.
type Lease struct {
	budget          *Budget
	holder          Holder
	caller, address *share // nil while nothing was taken and after Release
	held            int64
}

// Lease returns an empty lease. Release must be called when the request is done.
func (b *Budget) Lease(holder Holder) *Lease { return &Lease{budget: b, holder: holder} }

// Grow takes n bytes more, or returns ErrFull or ErrShare and takes nothing.
func (l *Lease) Grow(n int64) error {
	b := l.budget
	if l.caller == nil {
		l.caller, l.address = b.callers.join(l.holder.Caller), b.addresses.join(l.holder.Address)
	}
	// In this order, so that a caller that is refused does not take anything from the others, not even for a moment.
	if !take(&l.caller.held, n, b.limits.Caller) {
		b.greedy.Inc()
		return ErrShare
	}
	if !take(&l.address.held, n, b.limits.Address) {
		l.caller.held.Add(-n)
		b.greedy.Inc()
		return ErrShare
	}
	if !take(&b.used, n, b.limits.Total) {
		l.caller.held.Add(-n)
		l.address.held.Add(-n)
		b.denied.Inc()
		return ErrFull
	}
	l.held += n
	return nil
}

// take adds n to held unless that exceeds limit. Concurrent calls that do not fit together may all be refused.
func take(held *atomic.Int64, n, limit int64) bool {
	if held.Add(n) <= limit {
		return true
	}
	held.Add(-n)
	return false
}

// Held returns how many bytes are taken now.
func (l *Lease) Held() int64 { return l.held }

// Shrink gives n bytes back, which were taken before.
func (l *Lease) Shrink(n int64) {
	if l.caller == nil {
		return // nothing was taken
	}
	l.held -= n
	l.budget.used.Add(-n)
	l.address.held.Add(-n)
	l.caller.held.Add(-n)
}

// Release gives everything back.
func (l *Lease) Release() {
	if l.caller == nil {
		return
	}
	l.Shrink(l.held)
	l.budget.callers.leave(l.holder.Caller, l.caller)
	l.budget.addresses.leave(l.holder.Address, l.address)
	l.caller, l.address = nil, nil
}
