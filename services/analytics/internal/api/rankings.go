package api

import (
	"context"
	"fmt"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// defaultLimit is the length of a page of a ranking if the request has no limit.
const defaultLimit = 10

// TopProducts implements GET /analytics/products/top.
func (s *Server) TopProducts(ctx context.Context, request TopProductsRequestObject) (TopProductsResponseObject, error) {
	p := request.Params
	project, err := s.projectOf(ctx)
	if err != nil {
		return nil, err
	}
	q := report.Ranking{Category: valueOr(p.Category, ""), Limit: valueOr(p.Limit, defaultLimit)}
	if q.Range, err = s.dateRange(project, p.From, p.To, report.Daily); err != nil {
		return nil, err
	}
	if p.Type != nil {
		if p.Metric != nil {
			return nil, queryError("type", "metric_and_type", "Name a metric or a type, not both.")
		}
		if q.Type, err = eventName(*p.Type); err != nil {
			return nil, err
		}
	} else {
		q.Metric = report.Metric(valueOr(p.Metric, Metric(report.Views)))
	}
	if q.Currency, err = currencyOf(project.Project, q.Metric, p.Currency); err != nil {
		return nil, err
	}
	withoutSales, err := s.withoutSales(ctx)
	if err != nil {
		return nil, err
	}
	if withoutSales && showsSales(q) {
		return nil, errSales
	}
	asked := fmt.Sprintf("top:%d:%s:%s:%s:%q:%q", project.ID, q.Metric, q.Currency, q.Range, q.Type, q.Category)
	if q.After, err = readCursor(asked, p.Cursor); err != nil {
		return nil, err
	}
	ask := question{
		project: project, about: aboutProject(project.ID), today: endsToday(p.To, q.Range), key: fmt.Sprintf("%s:%v:%d", asked, q.After, q.Limit),
		cost: topCost(q.Metric, q.Range), withoutSales: withoutSales,
	}
	return answer(ctx, s, ask, func(ctx context.Context) (TopProducts, error) {
		top, err := s.Reports.Top(ctx, project.Project, q)
		page := toAPITop(q, top)
		page.NextCursor = cursorAfter(asked, top.Next)
		return page, err
	})
}

// eventName returns the normal form of the name of an event, as ingest stores it.
func eventName(given string) (string, error) {
	name, err := identifier.Name(given)
	if err != nil {
		return "", queryError("type", "invalid_value", "type "+err.Error()+".")
	}
	return name, nil
}

// currencyOf returns the currency of a ranking: none if it is not by money, and that of the project by default.
func currencyOf(p authn.Project, metric report.Metric, given *string) (string, error) {
	switch {
	case metric.IsMoney():
		return valueOr(given, p.Currency), nil
	case given != nil:
		return "", queryError("currency", "currency_without_money", "Only rankings by gross_minor, refunded_minor and net_minor have a currency.")
	}
	return "", nil
}
