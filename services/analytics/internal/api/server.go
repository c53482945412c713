// Package api is the HTTP surface of analytics: defaults, cache keys, and answers through the cache. internal/openapi/edge
// checks access and validates requests before its handlers run; api.gen.go is generated from the contract.
package api

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/hp-analytics/hp-analytics/internal/openapi/edge"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/internal/platform/reply"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/live"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/redis"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/system"
)

// Server implements the operations of the contract with the tag analytics.
type Server struct {
	Reports  *postgres.Store
	Numbers  *Numbers
	Zones    *Zones
	Cache    *cache.Cache
	Versions *redis.Versions
	Quotas   Quotas // of the cost of answers
	// Shared limits the requests with each share link; nil for no limit.
	Shared *ratelimit.Limiter
	Live   *live.Hub
	System *system.Reader
	// Heartbeat is the time between two signs of life of a stream; 0 is 15 s.
	Heartbeat time.Duration
	// OpenToUsers lets guests read rankings and series of products, without sales.
	OpenToUsers bool
	Now         func() time.Time // "today", for ranges without an end
}

// question is what an answer depends on.
type question struct {
	project      project   // whose numbers are asked for
	about        about     // whose changes make cached answers unreachable
	today        time.Time // the end of the range if the request has none; zero if it has one
	key          string    // of the cache, in the project
	cost         int       // of computing the answer, in units of the quota
	withoutSales bool
}

var _ StrictServerInterface = (*Server)(nil)

// Mount adds the handlers of the operations to r.
func (s *Server) Mount(r chi.Router) {
	strict := NewStrictHandlerWithOptions(s, []StrictMiddlewareFunc{describesQuotas, tabular, headOfStream}, StrictHTTPServerOptions{
		RequestErrorHandlerFunc: problem.Write, ResponseErrorHandlerFunc: problem.Write,
	})
	HandlerWithOptions(strict, ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: problem.Write})
}

// project is a project with the calendar by which it counts.
type project struct {
	authn.Project

	calendar report.Calendar
}

// projectOf returns the project that the caller acts in.
func (s *Server) projectOf(ctx context.Context) (project, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return project{}, err
	}
	zones, err := s.Zones.of(ctx, caller.Project.ID)
	return project{caller.Project, report.Calendar{Zones: zones, WeekStart: caller.Project.WeekStart}}, err
}

// endsToday returns the end of a range that has been made for a request, if that has none. The answer is wrong from tomorrow on.
func endsToday(to *From, r report.Range) time.Time {
	if to != nil {
		return time.Time{}
	}
	return r.To
}

// today is the date in a project now.
func (s *Server) today(p project) time.Time { return p.calendar.Today(s.Now()) }

func (s *Server) dateRange(p project, from, to *From, interval report.Interval) (report.Range, error) {
	day := func(d *From) *time.Time {
		if d == nil {
			return nil
		}
		return &d.Time
	}
	return report.NewRange(day(from), day(to), s.today(p), interval)
}

// valueOr returns what given points to, or else the default.
func valueOr[T any](given *T, otherwise T) T {
	if given == nil {
		return otherwise
	}
	return *given
}

// withMeta is an answer that says how fresh it is.
type withMeta interface{ meta() *Meta }

// answer returns the cached answer to q, or computes it. The cached copy differs from the computed answer only in
// meta.cached.
func answer[T any, P interface {
	*T
	withMeta
}](ctx context.Context, s *Server, q question, compute func(ctx context.Context) (T, error)) (answered, error) {
	encodeFor := func(value *T) ([]byte, error) {
		body, err := encode(value)
		if err == nil && q.withoutSales {
			return hideSales(body)
		}
		return body, err
	}
	if q.withoutSales {
		q.key = "without-sales:" + q.key
	}
	tokens := s.tokens(ctx, q.about.fields)
	// The part that requests choose is quoted: a name in the cache has no line breaks. The zones are those of an earlier moment than
	// the snapshot of the answer: no answer by former zones is found by the name with later ones.
	key := cache.Key{Name: fmt.Sprintf("%s:%d:%s:%q", joined(q.about.fields, tokens), q.project.ID, q.project.calendar.Zones, q.key)}
	var fresh []byte
	load := func(ctx context.Context) (cache.Entry, error) {
		refund, err := s.charge(ctx, q.cost)
		if err != nil {
			return cache.Entry{}, err
		}
		value, err := compute(ctx)
		if err != nil {
			refund()
			return cache.Entry{}, err
		}
		meta := P(&value).meta()
		if fresh, err = encodeFor(&value); err != nil {
			return cache.Entry{}, err
		}
		meta.Cached = true
		body, err := encodeFor(&value)
		return cache.Entry{Body: body}, err
	}
	found, err := s.Cache.Refreshing(ctx, key, load)
	if errs.Is(err, errs.TooMany) && found.Source != cache.Computed {
		// The quota that is used up is that of another caller, who asked the same at the same time.
		found, err = s.Cache.Refreshing(ctx, key, load)
	}
	if err != nil {
		return answered{}, err
	}
	a := answered{reply: found.Reply, asked: edge.Asked(ctx)}
	if found.Slot != nil {
		a.held = &held{slot: found.Slot, server: s, project: q.project, about: q.about, tokens: tokens, today: q.today}
	}
	if found.Source == cache.Computed {
		a.reply = reply.New(fresh, headers(reply.Options{Tag: found.Reply.Tag(), Weak: true}))
	}
	return a, nil
}

func encode(value any) ([]byte, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode an answer: %w", err)
	}
	return append(body, '\n'), nil
}
