// Package api is the HTTP surface of analytics: defaults, cache keys, and answers through the cache. internal/openapi/edge
// checks access and validates requests before its handlers run; api.gen.go is generated from the contract.
package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/internal/platform/reply"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/redis"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// Server implements the operations of the contract with the tag analytics.
type Server struct {
	Reports  *postgres.Store
	Numbers  *Numbers
	Cache    *cache.Cache
	Versions *redis.Versions
	Limiter  *ratelimit.Limiter // of the cost of answers; nil for no limit
	MaxCost  int                // the quota of Limiter
	// OpenToUsers lets guests read rankings and series of products, without sales.
	OpenToUsers bool
	Now         func() time.Time // "today", for ranges without an end
}

// question is what an answer depends on.
type question struct {
	project      authn.Project // whose numbers are asked for
	fields       []string      // whose changes make cached answers unreachable
	key          string        // of the cache, in the project
	cost         int           // of computing the answer, in units of the quota
	withoutSales bool
}

var _ StrictServerInterface = (*Server)(nil)

// Mount adds the handlers of the operations to r.
func (s *Server) Mount(r chi.Router) {
	strict := NewStrictHandlerWithOptions(s, []StrictMiddlewareFunc{tabular}, StrictHTTPServerOptions{
		RequestErrorHandlerFunc: problem.Write, ResponseErrorHandlerFunc: problem.Write,
	})
	HandlerWithOptions(strict, ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: problem.Write})
}

// projectOf returns the project that the caller acts in.
func projectOf(ctx context.Context) (authn.Project, error) {
	caller, err := authn.Require(ctx)
	project := caller.Project
	if project.Zone == nil {
		project.Zone = time.UTC
	}
	return project, err
}

func (s *Server) dateRange(p authn.Project, from, to *From, interval report.Interval) (report.Range, error) {
	day := func(d *From) *time.Time {
		if d == nil {
			return nil
		}
		return &d.Time
	}
	calendar := report.Calendar{Zone: p.Zone, WeekStart: p.WeekStart}
	return report.NewRange(day(from), day(to), calendar.Today(s.Now()), interval)
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
}](ctx context.Context, s *Server, q question, compute func(ctx context.Context) (T, error)) (encoded, error) {
	encodeFor := func(value *T) (encoded, error) {
		body, err := encode(value)
		if err == nil && q.withoutSales {
			return hideSales(body)
		}
		return body, err
	}
	if q.withoutSales {
		q.key = "without-sales:" + q.key
	}
	// The part that requests choose is quoted: a name in the cache has no line breaks.
	key := cache.Key{Name: fmt.Sprintf("%s:%d:%s:%q", s.token(ctx, q.fields), q.project.ID, q.project.Zone, q.key)}
	var fresh encoded
	load := func(ctx context.Context) (cache.Entry, error) {
		if err := s.charge(ctx, q.cost); err != nil {
			return cache.Entry{}, err
		}
		value, err := compute(ctx)
		if err != nil {
			return cache.Entry{}, err
		}
		meta := P(&value).meta()
		meta.TimeZone = q.project.Zone.String()
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
		return nil, err
	}
	if found.Source == cache.Computed {
		return fresh, nil
	}
	return encoded(found.Reply.Body()), nil
}

// Headers returns the headers of a cached answer, for cache.Options.
func Headers(cache.Entry) reply.Options { return reply.Options{CacheControl: private, Vary: "Accept"} }

// private: only the service knows whether an answer is fresh, and answers belong to their caller.
const private = "private, no-cache"

// encoded is the encoded 200 of an operation.
type encoded []byte

func encode(value any) (encoded, error) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode an answer: %w", err)
	}
	return append(body, '\n'), nil
}

func (e encoded) write(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", private)
	_, err := w.Write(e)
	return err
}

// VisitTopProductsResponse implements TopProductsResponseObject.
func (e encoded) VisitTopProductsResponse(w http.ResponseWriter) error { return e.write(w) }

// VisitProductTimeseriesResponse implements ProductTimeseriesResponseObject.
func (e encoded) VisitProductTimeseriesResponse(w http.ResponseWriter) error { return e.write(w) }

// VisitMySummaryResponse implements MySummaryResponseObject.
func (e encoded) VisitMySummaryResponse(w http.ResponseWriter) error { return e.write(w) }

// VisitUserSummaryResponse implements UserSummaryResponseObject.
func (e encoded) VisitUserSummaryResponse(w http.ResponseWriter) error { return e.write(w) }

// VisitProductTimeseriesBySKUResponse implements ProductTimeseriesBySKUResponseObject.
func (e encoded) VisitProductTimeseriesBySKUResponse(w http.ResponseWriter) error { return e.write(w) }

// VisitOverviewResponse implements OverviewResponseObject.
func (e encoded) VisitOverviewResponse(w http.ResponseWriter) error { return e.write(w) }

// VisitEventNamesResponse implements EventNamesResponseObject.
func (e encoded) VisitEventNamesResponse(w http.ResponseWriter) error { return e.write(w) }

// VisitEventTimeseriesResponse implements EventTimeseriesResponseObject.
func (e encoded) VisitEventTimeseriesResponse(w http.ResponseWriter) error { return e.write(w) }

// VisitTopUsersResponse implements TopUsersResponseObject.
func (e encoded) VisitTopUsersResponse(w http.ResponseWriter) error { return e.write(w) }
