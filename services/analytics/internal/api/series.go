package api

import (
	"context"
	"fmt"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// ProductTimeseries implements GET /analytics/products/{id}/timeseries.
func (s *Server) ProductTimeseries(ctx context.Context, request ProductTimeseriesRequestObject) (ProductTimeseriesResponseObject, error) {
	p := request.Params
	return s.productSeries(ctx, postgres.ProductRef{ID: request.ID}, p.From, p.To, p.Interval)
}

// ProductTimeseriesBySKU implements GET /analytics/products/timeseries.
func (s *Server) ProductTimeseriesBySKU(ctx context.Context, request ProductTimeseriesBySKURequestObject) (ProductTimeseriesBySKUResponseObject, error) {
	p := request.Params
	sku, err := identifier.Text(p.SKU)
	if err != nil {
		return nil, queryError("sku", "invalid_value", "sku "+err.Error()+".")
	}
	return s.productSeries(ctx, postgres.ProductRef{SKU: sku}, p.From, p.To, p.Interval)
}

func (s *Server) productSeries(ctx context.Context, ref postgres.ProductRef, from, to *From, given *Interval) (answered, error) {
	project, err := s.projectOf(ctx)
	if err != nil {
		return answered{}, err
	}
	interval := report.Interval(valueOr(given, Interval(report.Daily)))
	r, err := s.dateRange(project, from, to, interval)
	if err != nil {
		return answered{}, err
	}
	withoutSales, err := s.withoutSales(ctx)
	if err != nil {
		return answered{}, err
	}
	about, err := s.Numbers.product(ctx, project.ID, ref)
	if err != nil {
		return answered{}, err
	}
	q := question{
		project: project, about: about, today: endsToday(to, r),
		key:  fmt.Sprintf("series:%s:%q:%s:%s:%s", ref.ID, ref.SKU, r, interval, project.WeekStart),
		cost: seriesCost(r, interval), withoutSales: withoutSales,
	}
	return answer(ctx, s, q, func(ctx context.Context) (Series, error) {
		series, err := s.Reports.Series(ctx, project.Project, ref, r, interval)
		return toAPISeries(series), err
	})
}
