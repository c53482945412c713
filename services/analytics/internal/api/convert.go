package api

import (
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

func (t *TopProducts) meta() *Meta { return &t.Meta }
func (s *Series) meta() *Meta      { return &s.Meta }
func (s *UserSummary) meta() *Meta { return &s.Meta }

func toAPITop(q report.Ranking, t report.Top) TopProducts {
	answer := TopProducts{
		Currency: optional(q.Currency), Type: optional(q.Type), Category: optional(q.Category), Metric: optional(Metric(q.Metric)),
		From: toAPIDay(q.Range.From), To: toAPIDay(q.Range.To), Items: make([]TopProduct, len(t.Items)), Exact: t.Exact,
		Meta: toAPIMeta(t.Meta),
	}
	for i, item := range t.Items {
		answer.Items[i] = TopProduct{
			Rank: item.Place.Rank, Product: toAPIProduct(item.Product), Value: item.Place.Value, Counts: toAPICounts(item.Counts),
		}
	}
	setCounts(&answer.Totals, t.Totals)
	return answer
}

// optional returns nil for the zero value.
func optional[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

func toAPISeries(s report.ProductSeries) Series {
	return Series{
		Product: toAPIProduct(s.Product), Interval: Interval(s.Interval), Points: toAPIPoints(s.Points), Totals: toAPICounts(s.Totals),
		Meta: toAPIMeta(s.Meta),
	}
}

func toAPIPoints(from []report.Point) []SeriesPoint {
	points := make([]SeriesPoint, len(from))
	for i, p := range from {
		points[i] = SeriesPoint{Start: p.Start, Complete: p.Complete, ZoneChanged: p.ZoneChanged}
		setCounts(&points[i], p.Counts)
		if users := p.Counts.Users; users.Known {
			points[i].UniqueUsers, points[i].UniqueUsersExact = &users.Number, &users.Exact
		}
	}
	return points
}

func toAPISummary(s report.Summary) UserSummary {
	days := make([]UserDay, len(s.Days))
	for i, d := range s.Days {
		days[i].Day, days[i].ZoneChanged = toAPIDay(d.At), d.ZoneChanged
		days[i].UniqueUsers = d.Counts.Users.Number
		setCounts(&days[i], d.Counts)
	}
	return UserSummary{
		UserID: s.UserID, From: toAPIDay(s.Range.From), To: toAPIDay(s.Range.To), Totals: toAPICounts(s.Totals), Days: days,
		Meta: toAPIMeta(s.Meta),
	}
}

func toAPICounts(c report.Counts) Counts {
	counts := Counts{UniqueUsers: c.Users.Number, UniqueUsersExact: c.Users.Exact}
	setCounts(&counts, c)
	return counts
}

func toAPIProduct(p report.Product) ProductRef { return ProductRef{ID: p.ID, SKU: p.SKU, Name: p.Name} }

func toAPIMeta(m report.Meta) Meta {
	meta := Meta{AsOf: m.AsOf, CompleteUntil: m.CompleteUntil, PendingEvents: m.PendingEvents, FailedEvents: m.FailedEvents}
	if n := len(m.Zones); n > 0 { // there are none in the answer beside an error
		meta.TimeZone = m.Zones[n-1].Zone
	}
	if len(m.Zones) > 1 {
		for _, z := range m.Zones {
			meta.TimeZones = append(meta.TimeZones, ZoneDay{TimeZone: z.Zone, From: toAPIDay(z.From)})
		}
	}
	return meta
}

func toAPIDay(day time.Time) openapi_types.Date { return openapi_types.Date{Time: day} }
