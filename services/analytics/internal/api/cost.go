package api

import (
	"context"
	"maps"
	"net/http"
	"strconv"
	"sync"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// The quota of a caller counts what its answers cost to compute, in units of about a day of one product's rollups that is
// read by key. Answers from the cache are free. The weights are ratios: a ranking reads that day of every product, and a
// ranking by unique users also merges sketches.
const (
	topWeight   = 10
	usersWeight = 50
	hoursWeight = 24
	// guestWeight multiplies the cost for guests, who can be anybody where registration is open.
	guestWeight = 20
)

func topCost(metric report.Metric, r report.Range) int {
	if metric == report.UniqueUsers {
		return usersWeight * r.Days()
	}
	return topWeight * r.Days()
}

// seriesCost is the cost of a series, which reads the days of its range or their hours.
func seriesCost(r report.Range, interval report.Interval) int {
	if interval == report.Hourly {
		return hoursWeight * r.Days()
	}
	return r.Days()
}

// Quotas are what callers may spend on answers, in units of cost a minute. A limiter may be nil for no limit.
type Quotas struct {
	Callers   *ratelimit.Limiter // of each caller in its project
	OfCaller  int                // the limit of Callers
	Projects  *ratelimit.Limiter // of all callers of a project together
	OfProject int                // the limit of Projects
}

// guestsOf is appended to the key of a project for its guests: they can be anybody, and take nothing from its members.
const guestsOf = ":guests"

// linksOf is the same for the holders of its share links.
const linksOf = ":links"

// charge takes cost from the quotas of the caller and of its project. refund gives it back.
func (s *Server) charge(ctx context.Context, cost int) (refund func(), err error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	project := strconv.Itoa(int(caller.Project.ID))
	switch {
	case caller.Link != nil:
		project += linksOf
	case isGuest(caller):
		cost *= guestWeight
		project += guestsOf
	}
	header := http.Header{}
	defer func() { describe(ctx, header) }()
	refundCaller, err := take(ctx, s.Quotas.Callers, header, caller.QuotaKey(), min(cost, s.Quotas.OfCaller))
	if err != nil {
		return nil, err
	}
	refundProject, err := take(ctx, s.Quotas.Projects, header, project, min(cost, s.Quotas.OfProject))
	if err != nil {
		refundCaller()
		return nil, err
	}
	return func() { refundCaller(); refundProject() }, nil
}

// take takes n units of a quota, which always holds one answer: n is at most its limit.
func take(ctx context.Context, quota *ratelimit.Limiter, header http.Header, key string, n int) (refund func(), err error) {
	if quota == nil {
		return func() {}, nil
	}
	if err := quota.Allow(ctx, header, key, n); err != nil {
		return nil, err
	}
	return func() { quota.Refund(context.WithoutCancel(ctx), key, n) }, nil
}

// receipt is the description of the quotas that the answer to a request was charged to. Whoever computes the answer fills it in, who
// may still do so when the request has ended.
type receipt struct {
	mu     sync.Mutex
	header http.Header
}

type receiptKey struct{}

// describe keeps the headers of quotas for the answer to the request of ctx.
func describe(ctx context.Context, header http.Header) {
	if r, ok := ctx.Value(receiptKey{}).(*receipt); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.header = header
	}
}

// describesQuotas adds the headers of the quotas to answers that were charged, and to those that a quota refused. An answer from the
// cache has none.
func describesQuotas(next StrictHandlerFunc, _ string) StrictHandlerFunc {
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, request any) (any, error) {
		var charged receipt
		answer, err := next(context.WithValue(ctx, receiptKey{}, &charged), w, r, request)
		charged.mu.Lock()
		defer charged.mu.Unlock()
		maps.Copy(w.Header(), charged.header)
		return answer, err
	}
}
