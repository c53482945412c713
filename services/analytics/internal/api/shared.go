package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"github.com/oapi-codegen/runtime/types"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/postgres"
)

var errOtherReport = errs.New(errs.Forbidden, "other_report", "This link shares another report.")

// pinned is the report of a share link: the schema PinnedReport of the contract, as the auth service stores it.
type pinned struct {
	Kind      string      `json:"kind"`
	ProductID uuid.UUID   `json:"product_id"`
	From      *types.Date `json:"from"`
	To        *types.Date `json:"to"`
	Days      int         `json:"days"` // the last days, today included; 0 with From and To
	Interval  Interval    `json:"interval"`
}

// shared returns the report of the caller's link, which is of a kind. Requests have no parameters, so they cannot widen it.
func (s *Server) shared(ctx context.Context, kind string) (report pinned, err error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return pinned{}, err
	}
	if caller.Link == nil {
		return pinned{}, authn.ErrNoCredentials
	}
	if s.Shared != nil {
		if err := s.Shared.Allow(ctx, http.Header{}, caller.KeyID, 1); err != nil {
			return pinned{}, err
		}
	}
	if err := json.Unmarshal(caller.Link.Report, &report); err != nil {
		return pinned{}, fmt.Errorf("decode the report of a share link: %w", err)
	}
	if report.Kind != kind {
		return pinned{}, errOtherReport
	}
	if report.Days > 0 {
		project, err := s.projectOf(ctx)
		if err != nil {
			return pinned{}, err
		}
		report.From = &types.Date{Time: s.today(project).AddDate(0, 0, 1-report.Days)}
	}
	return report, nil
}

// SharedOverview implements GET /analytics/shared/overview.
func (s *Server) SharedOverview(ctx context.Context, _ SharedOverviewRequestObject) (SharedOverviewResponseObject, error) {
	report, err := s.shared(ctx, "overview")
	if err != nil {
		return nil, err
	}
	answer, err := s.Overview(ctx, OverviewRequestObject{Params: OverviewParams{From: report.From, To: report.To, Interval: &report.Interval}})
	if err != nil {
		return nil, err
	}
	return sharedOverview{answer}, nil
}

// sharedOverview is not kept for requests that are the same: each counts against the limit of its link.
type sharedOverview struct{ OverviewResponseObject }

// VisitSharedOverviewResponse implements SharedOverviewResponseObject.
func (a sharedOverview) VisitSharedOverviewResponse(w http.ResponseWriter) error {
	return a.VisitOverviewResponse(w)
}

// SharedProduct implements GET /analytics/shared/product.
func (s *Server) SharedProduct(ctx context.Context, _ SharedProductRequestObject) (SharedProductResponseObject, error) {
	report, err := s.shared(ctx, "product")
	if err != nil {
		return nil, err
	}
	answer, err := s.productSeries(ctx, postgres.ProductRef{ID: report.ProductID}, report.From, report.To, &report.Interval)
	if err != nil {
		return nil, err
	}
	return sharedProduct{answer}, nil
}

// sharedProduct is like sharedOverview.
type sharedProduct struct{ answer answered }

// VisitSharedProductResponse implements SharedProductResponseObject.
func (a sharedProduct) VisitSharedProductResponse(w http.ResponseWriter) error {
	return a.answer.write(w)
}
