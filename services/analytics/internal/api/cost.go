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
	// userWeight multiplies the cost for the role user, which anybody may have where registration is open.
	userWeight = 20
)

func topCost(metric report.Metric, r report.Range) int {
	if metric == report.UniqueUsers {
		return usersWeight * r.Days()
	}
	return topWeight * r.Days()
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
	if caller.Role == authn.User {
		cost *= userWeight
	}
	return s.Limiter.Allow(ctx, http.Header{}, caller.ID(), min(cost, s.MaxCost)) // one answer is always possible
}
