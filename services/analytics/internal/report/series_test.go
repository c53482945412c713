package report_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// users returns the sketch of users number first to last.
func users(first, last int) *sketch.Sketch {
	s := sketch.New()
	for i := first; i <= last; i++ {
		s.Insert(fmt.Sprintf("user-%d", i))
	}
	return s
}

func TestNewSeries(t *testing.T) {
	t.Parallel()
	// From a Wednesday to the Tuesday after the next month's first.
	r := report.Range{From: day(t, "2026-04-29"), To: day(t, "2026-05-05")}
	days := []report.ProductDay{
		{Day: day(t, "2026-04-29"), Counts: report.Counts{Counts: stats.Counts{stats.Events: 10, stats.Views: 10}}, Users: users(1, 4)},
		{Day: day(t, "2026-05-03"), Counts: report.Counts{Counts: stats.Counts{stats.Events: 5, stats.Views: 4, stats.Clicks: 1}}, Users: users(3, 5)},
		{Day: day(t, "2026-05-04"), Counts: report.Counts{Counts: stats.Counts{stats.Purchases: 2, stats.Units: 3, stats.RevenueMinor: 900}}, Users: users(5, 6)},
	}
	totals := report.Counts{Counts: stats.Counts{stats.Events: 15, stats.Views: 14, stats.Clicks: 1, stats.Purchases: 2, stats.Units: 3, stats.RevenueMinor: 900}, UniqueUsers: 6}
	type points map[string]report.Counts
	cases := map[report.Interval]points{
		report.Daily: {
			"2026-04-29": {Counts: stats.Counts{stats.Events: 10, stats.Views: 10}, UniqueUsers: 4}, "2026-04-30": {}, "2026-05-01": {}, "2026-05-02": {},
			"2026-05-03": {Counts: stats.Counts{stats.Events: 5, stats.Views: 4, stats.Clicks: 1}, UniqueUsers: 3},
			"2026-05-04": {Counts: stats.Counts{stats.Purchases: 2, stats.Units: 3, stats.RevenueMinor: 900}, UniqueUsers: 2}, "2026-05-05": {},
		},
		report.Weekly: {
			"2026-04-27": {Counts: stats.Counts{stats.Events: 15, stats.Views: 14, stats.Clicks: 1}, UniqueUsers: 5},
			"2026-05-04": {Counts: stats.Counts{stats.Purchases: 2, stats.Units: 3, stats.RevenueMinor: 900}, UniqueUsers: 2},
		},
		report.Monthly: {
			"2026-04-01": {Counts: stats.Counts{stats.Events: 10, stats.Views: 10}, UniqueUsers: 4},
			"2026-05-01": {Counts: stats.Counts{stats.Events: 5, stats.Views: 4, stats.Clicks: 1, stats.Purchases: 2, stats.Units: 3, stats.RevenueMinor: 900}, UniqueUsers: 4},
		},
	}
	for interval, want := range cases {
		series, err := report.NewSeries(report.Product{SKU: "s"}, r, interval, days, report.Meta{PendingEvents: 1})
		if err != nil {
			t.Fatal(err)
		}
		got := points{}
		last := time.Time{}
		for _, p := range series.Points {
			got[p.Start.Format(time.DateOnly)] = p.Counts
			if !p.Start.After(last) {
				t.Errorf("%s: %s is not after %s", interval, p.Start, last)
			}
			last = p.Start
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", interval, diff)
		}
		if diff := cmp.Diff(totals, series.Totals); diff != "" {
			t.Errorf("%s: totals must not depend on the interval (-want +got):\n%s", interval, diff)
		}
	}
}
