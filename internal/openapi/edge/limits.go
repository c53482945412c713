package edge

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
)

// Limiter takes n units of the quota of key and describes the quota in the header of the answer. ratelimit.Limiter is one.
type Limiter interface {
	Allow(ctx context.Context, header http.Header, key string, n int) error
}

// Limit is a rate limit that a service supplies for a name in x-limits.
type Limit struct {
	limiter Limiter
	charged bool // by the handler
}

// ByAddress returns a limit on the requests of one client address. It applies before the body is read.
func ByAddress(limiter Limiter) Limit { return Limit{limiter: limiter} }

// ChargedByHandler stands for a limit that the handler takes by itself, because only it knows how much to take.
func ChargedByHandler() Limit { return Limit{charged: true} }

// limits are the limits of a service while its operations are mounted.
type limits struct {
	supplied map[string]Limit
	named    map[string]bool // by an operation
}

func newLimits(supplied map[string]Limit) *limits {
	return &limits{supplied: supplied, named: make(map[string]bool)}
}

// of returns the limits that apply to an operation before its body is read.
func (l *limits) of(o *contract.Operation) (applied []limit, err error) {
	for _, name := range o.Limits {
		supplied, ok := l.supplied[name]
		if !ok {
			return nil, fmt.Errorf("x-limits names %q, which the service does not supply", name)
		}
		l.named[name] = true
		if !supplied.charged {
			applied = append(applied, limit(supplied))
		}
	}
	return applied, nil
}

// unused returns an error for each supplied limit that no operation names: the contract forgot it.
func (l *limits) unused() []error {
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(l.supplied)) {
		if !l.named[name] {
			problems = append(problems, fmt.Errorf("the service supplies the limit %q, which no operation names in x-limits", name))
		}
	}
	return problems
}

// limit is a limit of a mounted operation.
type limit Limit

// take takes one request from the quota of the client's address.
func (l limit) take(ctx context.Context, header http.Header) error {
	return l.limiter.Allow(ctx, header, httpserver.ClientNetwork(ctx), 1)
}
