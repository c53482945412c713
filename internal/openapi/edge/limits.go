package edge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"

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
	member  string              // of the body, from which the key comes; empty for the client's address
	key     func(string) string // makes the key of the member's value
	charged bool                // by the handler
}

// ByAddress returns a limit on the requests of one client address. It applies before the body is read.
func ByAddress(limiter Limiter) Limit { return Limit{limiter: limiter} }

// ByMember returns a limit on the requests with the same value of a member of the body, which must be a required string.
// It applies after validation. key turns the value into the key of the limiter.
func ByMember(limiter Limiter, member string, key func(string) string) Limit {
	return Limit{limiter: limiter, member: member, key: key}
}

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

// of returns the limits that an operation names: those that apply before its body is read, and those that need it.
func (l *limits) of(o *contract.Operation) (before, after []limit, err error) {
	for _, name := range o.Limits {
		supplied, ok := l.supplied[name]
		if !ok {
			return nil, nil, fmt.Errorf("x-limits names %q, which the service does not supply", name)
		}
		l.named[name] = true
		switch {
		case supplied.charged:
		case supplied.member == "":
			before = append(before, limit(supplied))
		default:
			if err := checkMember(o, supplied.member); err != nil {
				return nil, nil, fmt.Errorf("limit %q: %w", name, err)
			}
			after = append(after, limit(supplied))
		}
	}
	return before, after, nil
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

// checkMember checks that every valid body of an operation has the member, as a string.
func checkMember(o *contract.Operation, member string) error {
	if o.HandlerValidates || o.Spec.RequestBody == nil {
		return errors.New("its key is in the body, which the edge does not read")
	}
	for _, media := range o.Spec.RequestBody.Value.Content {
		schema := media.Schema.Value
		property := schema.Properties[member]
		if property == nil || !property.Value.Type.Is(openapi3.TypeString) || property.Value.Nullable || !slices.Contains(schema.Required, member) {
			return fmt.Errorf("its key %q is not a required string of the body", member)
		}
	}
	return nil
}

// limit is a limit of a mounted operation.
type limit Limit

// take takes one request from the quota. body is the validated body; a limit by address does not need it.
func (l limit) take(ctx context.Context, header http.Header, body any) error {
	if l.member == "" {
		return l.limiter.Allow(ctx, header, httpserver.ClientNetwork(ctx), 1)
	}
	members, _ := body.(map[string]any) // checkMember and validation have made sure of both types
	value, _ := members[l.member].(string)
	return l.limiter.Allow(ctx, header, l.key(value), 1)
}
