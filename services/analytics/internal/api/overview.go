package api

import (
	"context"
	"fmt"
	"reflect"

	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// Overview implements GET /analytics/overview.
func (s *Server) Overview(ctx context.Context, request OverviewRequestObject) (OverviewResponseObject, error) {
	p := request.Params
	project, err := s.projectOf(ctx)
	if err != nil {
		return nil, err
	}
	interval := report.Interval(valueOr(p.Interval, Interval(report.Daily)))
	r, err := s.dateRange(project, p.From, p.To, interval)
	if err != nil {
		return nil, err
	}
	q := question{
		project: project, about: aboutProject(project.ID), today: endsToday(p.To, r),
		key: fmt.Sprintf("overview:%s:%s:%s", r, interval, project.WeekStart), cost: 2 * seriesCost(r, interval),
	}
	return answer(ctx, s, q, func(ctx context.Context) (Overview, error) {
		overview, err := s.Reports.Overview(ctx, project.Project, r, interval)
		return toAPIOverview(overview), err
	})
}

func (o *Overview) meta() *Meta { return &o.Meta }

func toAPIOverview(o report.Overview) Overview {
	previous := o.Previous
	return Overview{
		From: toAPIDay(o.Range.From), To: toAPIDay(o.Range.To), Interval: Interval(o.Interval), Complete: o.Complete,
		Totals: toAPICounts(o.Totals),
		Previous: PreviousPeriod{
			From: toAPIDay(previous.Range.From), To: toAPIDay(previous.Range.To), Complete: previous.Complete, Totals: toAPICounts(previous.Totals),
		},
		Change: toAPIChanges(o.Change), Conversion: toAPIConversion(o.Conversion), Points: toAPIPoints(o.Points), Meta: toAPIMeta(o.Meta),
	}
}

func toAPIChanges(c report.Changes) Changes {
	changes := Changes{UniqueUsers: Change(c.Users), Revenue: make([]RevenueChange, len(c.Revenue))}
	value := reflect.ValueOf(&changes).Elem()
	for i, field := range counterFields(value.Type()) {
		value.Field(field).Set(reflect.ValueOf(Change(c.Counters[i])))
	}
	for i, a := range c.Revenue {
		changes.Revenue[i] = RevenueChange{
			Currency: a.Currency, GrossMinor: Change(a.Gross), RefundedMinor: Change(a.Refunded), NetMinor: Change(a.Net),
			Orders: Change(a.Orders), Units: Change(a.Units),
		}
	}
	return changes
}

func toAPIConversion(c report.Conversion) Conversion {
	return Conversion{
		Views: c.Views, AddToCarts: c.AddToCarts, Purchases: c.Purchases,
		AddToCartsPerView: c.AddToCartsPerView, PurchasesPerAddToCart: c.PurchasesPerAddToCart,
		PurchasesPerView: c.PurchasesPerView, PurchasesPerUser: c.PurchasesPerUser,
	}
}
