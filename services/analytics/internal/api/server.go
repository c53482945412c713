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
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/redis"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// defaultLimit is the length of a ranking if the request has no limit.
const defaultLimit = 10

// Server implements the operations of the contract with the tag analytics.
type Server struct {
	Reports  *postgres.Store
	Cache    *cache.Cache
	Versions *redis.Versions
	Limiter  *ratelimit.Limiter // of the cost of answers; nil for no limit
	MaxCost  int                // the quota of Limiter
	// OpenToUsers lets the role user read rankings and series, without sales.
	OpenToUsers bool
	Now         func() time.Time // "today", for ranges without an end
}

// question is what an answer depends on.
type question struct {
	field        string // whose change makes cached answers unreachable
	key          string // of the cache
	cost         int    // of computing the answer, in units of the quota
	withoutSales bool
}

var _ StrictServerInterface = (*Server)(nil)

// Mount adds the handlers of the operations to r.
func (s *Server) Mount(r chi.Router) {
	strict := NewStrictHandlerWithOptions(s, nil, StrictHTTPServerOptions{
		RequestErrorHandlerFunc: problem.Write, ResponseErrorHandlerFunc: problem.Write,
	})
	HandlerWithOptions(strict, ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: problem.Write})
}

// TopProducts implements GET /analytics/products/top.
func (s *Server) TopProducts(ctx context.Context, request TopProductsRequestObject) (TopProductsResponseObject, error) {
	p := request.Params
	r, err := s.dateRange(p.From, p.To)
	if err != nil {
		return nil, err
	}
	metric, limit := report.Views, defaultLimit
	if p.Metric != nil {
		metric = report.Metric(*p.Metric)
	}
	if p.Limit != nil {
		limit = *p.Limit
	}
	withoutSales, err := s.withoutSales(ctx)
	if err != nil {
		return nil, err
	}
	if withoutSales && isSales(metric) {
		return nil, errSales
	}
	q := question{
		field: protocol.TopField, key: fmt.Sprintf("top:%s:%s:%d", metric, r, limit), cost: topCost(metric, r), withoutSales: withoutSales,
	}
	return answer(ctx, s, q, func(ctx context.Context) (TopProducts, error) {
		top, err := s.Reports.Top(ctx, metric, r, limit)
		return toAPITop(top), err
	})
}

// ProductTimeseries implements GET /analytics/products/{id}/timeseries.
func (s *Server) ProductTimeseries(ctx context.Context, request ProductTimeseriesRequestObject) (ProductTimeseriesResponseObject, error) {
	p := request.Params
	r, err := s.dateRange(p.From, p.To)
	if err != nil {
		return nil, err
	}
	interval := report.Daily
	if p.Interval != nil {
		interval = report.Interval(*p.Interval)
	}
	withoutSales, err := s.withoutSales(ctx)
	if err != nil {
		return nil, err
	}
	q := question{
		field: protocol.ProductField(request.ID.String()), key: fmt.Sprintf("series:%s:%s:%s", request.ID, r, interval),
		cost: r.Days(), withoutSales: withoutSales,
	}
	return answer(ctx, s, q, func(ctx context.Context) (Series, error) {
		series, err := s.Reports.Series(ctx, request.ID, r, interval)
		return toAPISeries(series), err
	})
}

// MySummary implements GET /analytics/users/me/summary.
func (s *Server) MySummary(ctx context.Context, request MySummaryRequestObject) (MySummaryResponseObject, error) {
	p, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	return s.summary(ctx, p.Subject, request.Params.From, request.Params.To)
}

// UserSummary implements GET /analytics/users/{id}/summary.
func (s *Server) UserSummary(ctx context.Context, request UserSummaryRequestObject) (UserSummaryResponseObject, error) {
	return s.summary(ctx, request.ID, request.Params.From, request.Params.To)
}

func (s *Server) summary(ctx context.Context, userID string, from, to *From) (encoded, error) {
	r, err := s.dateRange(from, to)
	if err != nil {
		return nil, err
	}
	q := question{field: protocol.UserField(userID), key: fmt.Sprintf("user:%s:%s", r, userID), cost: r.Days()}
	return answer(ctx, s, q, func(ctx context.Context) (UserSummary, error) {
		summary, err := s.Reports.Summary(ctx, userID, r)
		return toAPISummary(summary), err
	})
}

func (s *Server) dateRange(from, to *From) (report.Range, error) {
	day := func(d *From) *time.Time {
		if d == nil {
			return nil
		}
		return &d.Time
	}
	return report.NewRange(day(from), day(to), s.Now())
}

// withMeta is an answer that says how fresh it is.
type withMeta interface{ setCached(bool) }

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
	key := s.Versions.Token(ctx, q.field) + ":" + q.key
	var fresh encoded
	load := func(ctx context.Context) (cache.Entry, error) {
		if err := s.charge(ctx, q.cost); err != nil {
			return cache.Entry{}, err
		}
		value, err := compute(ctx)
		if err != nil {
			return cache.Entry{}, err
		}
		if fresh, err = encodeFor(&value); err != nil {
			return cache.Entry{}, err
		}
		P(&value).setCached(true)
		body, err := encodeFor(&value)
		return cache.Entry{Body: body}, err
	}
	entry, source, err := s.Cache.Get(ctx, key, load)
	if errs.Is(err, errs.TooMany) && source != cache.Computed {
		// The quota that is used up is that of another caller, who asked the same at the same time.
		entry, source, err = s.Cache.Get(ctx, key, load)
	}
	if err != nil {
		return nil, err
	}
	if source == cache.Computed {
		return fresh, nil
	}
	return encoded(entry.Body), nil
}

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
	w.Header().Set("Cache-Control", "private, no-cache") // only the service knows whether an answer is fresh, and answers belong to their caller
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
