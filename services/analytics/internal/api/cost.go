package api

import (
	"context"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
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

// charge takes cost from the quota of the caller.
func (s *Server) charge(ctx context.Context, cost int) error {
	if s.Limiter == nil {
		return nil
	}
	caller, err := authn.Require(ctx)
	if err != nil {
		return err
	}
	if isGuest(caller) {
		cost *= guestWeight
	}
	return s.Limiter.Allow(ctx, http.Header{}, caller.QuotaKey(), min(cost, s.MaxCost)) // one answer is always possible
}
