package report_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

func day(t *testing.T, text string) time.Time {
	t.Helper()
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestNewRange(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 31, 23, 30, 0, 0, time.FixedZone("west", -5*3600)) // already April in UTC
	at := func(text string) *time.Time {
		if text == "" {
			return nil
		}
		d := day(t, text)
		return &d
	}
	cases := []struct {
		name, from, to, want, code string
		days                       int
	}{
		{"nothing given", "", "", "2026-03-03..2026-04-01", "", 30},
		{"only to", "", "2026-02-28", "2026-01-30..2026-02-28", "", 30},
		{"only from", "2026-03-31", "", "2026-03-31..2026-04-01", "", 2},
		{"one day", "2026-01-01", "2026-01-01", "2026-01-01..2026-01-01", "", 1},
		{"the longest", "2025-01-01", "2026-02-04", "2025-01-01..2026-02-04", "", 400},
		{"too long", "2025-01-01", "2026-02-05", "", "range_too_long", 0},
		{"reversed", "2026-01-02", "2026-01-01", "", "range_reversed", 0},
		{"from after today", "2026-04-02", "", "", "range_reversed", 0},
	}
	for _, c := range cases {
		r, err := report.NewRange(at(c.from), at(c.to), now)
		if c.code != "" {
			if !errs.Is(err, errs.Invalid) || errs.CodeOf(err) != c.code {
				t.Errorf("%s: %v, want %s", c.name, err, c.code)
			}
			continue
		}
		if err != nil || r.String() != c.want || r.Days() != c.days {
			t.Errorf("%s: %s (%d days), %v; want %s (%d days)", c.name, r, r.Days(), err, c.want, c.days)
		}
	}
}

func TestSummarize(t *testing.T) {
	t.Parallel()
	r := report.Range{From: day(t, "2026-01-01"), To: day(t, "2026-01-31")}
	got, err := report.Summarize("u", r, []report.UserDay{
		{Day: day(t, "2026-01-02"), Counts: report.Counts{Counts: stats.Counts{stats.Events: 3, stats.Views: 2, stats.Clicks: 1}}},
		{Day: day(t, "2026-01-05"), Counts: report.Counts{Counts: stats.Counts{stats.Purchases: 1, stats.Units: 2, stats.RevenueMinor: 500}}},
	}, report.Meta{PendingEvents: 7})
	want := report.Summary{
		UserID: "u", Range: r, Meta: report.Meta{PendingEvents: 7},
		Totals: report.Counts{Counts: stats.Counts{stats.Events: 3, stats.Views: 2, stats.Clicks: 1, stats.Purchases: 1, stats.Units: 2, stats.RevenueMinor: 500}, UniqueUsers: 1},
		Days: []report.UserDay{
			{Day: day(t, "2026-01-02"), Counts: report.Counts{Counts: stats.Counts{stats.Events: 3, stats.Views: 2, stats.Clicks: 1}, UniqueUsers: 1}},
			{Day: day(t, "2026-01-05"), Counts: report.Counts{Counts: stats.Counts{stats.Purchases: 1, stats.Units: 2, stats.RevenueMinor: 500}, UniqueUsers: 1}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if nobody, err := report.Summarize("u", r, nil, report.Meta{}); err != nil || nobody.Totals.UniqueUsers != 0 || nobody.Days == nil {
		t.Errorf("a user that did nothing: %+v", nobody)
	}
}

func TestMetricsNameTheirCounts(t *testing.T) {
	t.Parallel()
	c := report.Counts{UniqueUsers: 100}
	for i, column := range stats.Columns() {
		c.Counts[i] = int64(i + 1)
		if got := report.Metric(column).Of(c); got != int64(i+1) {
			t.Errorf("%s = %d, want %d", column, got, i+1)
		}
	}
	if got := report.UniqueUsers.Of(c); got != 100 {
		t.Errorf("%s = %d, want 100", report.UniqueUsers, got)
	}
	if counter, ok := report.Views.Counter(); !ok || counter != stats.Views {
		t.Errorf("%s is counter %d (%t)", report.Views, counter, ok)
	}
	if _, ok := report.UniqueUsers.Counter(); ok {
		t.Errorf("%s is a counter", report.UniqueUsers)
	}
}
