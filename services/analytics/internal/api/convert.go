package api

import (
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

func (t *TopProducts) setCached(cached bool) { t.Meta.Cached = cached }
func (s *Series) setCached(cached bool)      { s.Meta.Cached = cached }
func (s *UserSummary) setCached(cached bool) { s.Meta.Cached = cached }

func toAPITop(t report.Top) TopProducts {
	items := make([]TopProduct, len(t.Items))
	for i, item := range t.Items {
		items[i] = TopProduct{
			Rank:    i + 1,
			Product: toAPIProduct(item.Product),
			Value:   t.Metric.Of(item.Counts),
			Counts:  toAPICounts(item.Counts),
		}
	}
	return TopProducts{
		Metric: Metric(t.Metric), From: toAPIDay(t.Range.From), To: toAPIDay(t.Range.To), Items: items, Exact: t.Exact,
		Meta: toAPIMeta(t.Meta),
	}
}

func toAPISeries(s report.Series) Series {
	points := make([]SeriesPoint, len(s.Points))
	for i, p := range s.Points {
		points[i].Start = toAPIDay(p.Start)
		setCounts(&points[i], p.Counts)
	}
	return Series{
		Product: toAPIProduct(s.Product), Interval: Interval(s.Interval), Points: points, Totals: toAPICounts(s.Totals),
		Meta: toAPIMeta(s.Meta),
	}
}

func toAPISummary(s report.Summary) UserSummary {
	days := make([]UserDay, len(s.Days))
	for i, d := range s.Days {
		days[i].Day = toAPIDay(d.Day)
		setCounts(&days[i], d.Counts)
	}
	return UserSummary{
		UserID: s.UserID, From: toAPIDay(s.Range.From), To: toAPIDay(s.Range.To), Totals: toAPICounts(s.Totals), Days: days,
		Meta: toAPIMeta(s.Meta),
	}
}

func toAPICounts(c report.Counts) (counts Counts) {
	setCounts(&counts, c)
	return counts
}

func toAPIProduct(p report.Product) ProductRef { return ProductRef{ID: p.ID, SKU: p.SKU, Name: p.Name} }

func toAPIMeta(m report.Meta) Meta {
	return Meta{AsOf: m.AsOf, CompleteUntil: m.CompleteUntil, PendingEvents: m.PendingEvents, FailedEvents: m.FailedEvents}
}

func toAPIDay(day time.Time) openapi_types.Date { return openapi_types.Date{Time: day} }
