// Package api is the HTTP side of analytics: who may ask for what, and answers from the cache.
package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// defaultLimit is the number of places of a ranking for which no limit is given.
const defaultLimit = 10

// Reports computes answers from the rollups.
type Reports interface {
	Top(ctx context.Context, metric report.Metric, r report.Range, limit int) (report.Top, error)
	Series(ctx context.Context, id uuid.UUID, r report.Range, interval report.Interval) (report.Series, error)
	Summary(ctx context.Context, userID string, r report.Range) (report.Summary, error)
}

// Versions names the present state of what an answer is made from.
type Versions interface {
	Token(ctx context.Context, field string) string
}

// Server implements the operations of the analytics tag.
type Server struct {
	Reports  Reports
	Cache    *cache.Cache
	Versions Versions
	Now      func() time.Time // decides what "today" is when a range has no end
}

var _ StrictServerInterface = (*Server)(nil)

// TopProducts implements GET /analytics/products/top.
func (s *Server) TopProducts(ctx context.Context, request TopProductsRequestObject) (TopProductsResponseObject, error) {
	if err := mayRead(ctx); err != nil {
		return nil, err
	}
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
	key := fmt.Sprintf("top:%s:%s:%d", metric, r, limit)
	return answer(ctx, s, protocol.TopField, key, func(ctx context.Context) (TopProducts, error) {
		top, err := s.Reports.Top(ctx, metric, r, limit)
		return toAPITop(top), err
	})
}

// ProductTimeseries implements GET /analytics/products/{id}/timeseries.
func (s *Server) ProductTimeseries(ctx context.Context, request ProductTimeseriesRequestObject) (ProductTimeseriesResponseObject, error) {
	if err := mayRead(ctx); err != nil {
		return nil, err
	}
	p := request.Params
	r, err := s.dateRange(p.From, p.To)
	if err != nil {
		return nil, err
	}
	interval := report.Daily
	if p.Interval != nil {
		interval = report.Interval(*p.Interval)
	}
	key := fmt.Sprintf("series:%s:%s:%s", request.ID, r, interval)
	return answer(ctx, s, protocol.ProductField(request.ID.String()), key, func(ctx context.Context) (Series, error) {
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
	if !p.IsUser() {
		return nil, authn.Denied("An API key is no user. Ask for /analytics/users/{id}/summary.")
	}
	return s.summary(ctx, p.Subject, request.Params.From, request.Params.To)
}

// UserSummary implements GET /analytics/users/{id}/summary.
func (s *Server) UserSummary(ctx context.Context, request UserSummaryRequestObject) (UserSummaryResponseObject, error) {
	p, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	oneself := p.IsUser() && p.Subject == request.ID
	if !oneself && p.Role != authn.Analyst && p.Role != authn.Admin && !p.HasScope(authn.ScopeRead) {
		return nil, authn.Denied("Users may read their own summary; others' needs the role analyst or admin, or an API key with the scope read.")
	}
	return s.summary(ctx, request.ID, request.Params.From, request.Params.To)
}

func (s *Server) summary(ctx context.Context, userID string, from, to *From) (encoded, error) {
	r, err := s.dateRange(from, to)
	if err != nil {
		return nil, err
	}
	key := fmt.Sprintf("user:%s:%s", r, userID)
	return answer(ctx, s, protocol.UserField(userID), key, func(ctx context.Context) (UserSummary, error) {
		summary, err := s.Reports.Summary(ctx, userID, r)
		return toAPISummary(summary), err
	})
}

// mayRead admits every user and API keys with the scope read.
func mayRead(ctx context.Context) error {
	p, err := authn.Require(ctx)
	if err == nil && !p.IsUser() && !p.HasScope(authn.ScopeRead) {
		err = authn.Denied("This needs an API key with the scope read.")
	}
	return err
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

// withMeta is an answer that tells its freshness.
type withMeta interface{ setCached(bool) }

// answer returns the cached answer of key, or computes it. What is cached says so: it was computed for somebody else.
func answer[T any, P interface {
	*T
	withMeta
}](ctx context.Context, s *Server, field, key string, compute func(ctx context.Context) (T, error)) (encoded, error) {
	var fresh encoded
	entry, source, err := s.Cache.Get(ctx, s.Versions.Token(ctx, field)+":"+key, func(ctx context.Context) (cache.Entry, error) {
		value, err := compute(ctx)
		if err != nil {
			return cache.Entry{}, err
		}
		if fresh, err = encode(&value); err != nil {
			return cache.Entry{}, err
		}
		P(&value).setCached(true)
		body, err := encode(&value)
		return cache.Entry{Body: body}, err
	})
	if err != nil {
		return nil, err
	}
	if source == cache.Computed {
		return fresh, nil
	}
	return encoded(entry.Body), nil
}

// encoded is an answer that is JSON already. It stands for the 200 of every operation here.
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
	w.Header().Set("Cache-Control", "private, no-cache") // freshness is the service's to judge, and answers are per caller
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
