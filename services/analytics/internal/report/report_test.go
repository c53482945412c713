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
	today := day(t, "2026-04-01")
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
		{"before all clocks", "1969-12-31", "1970-01-05", "", "range_out_of_time", 0},
		{"in year 0", "0000-01-01", "0000-01-02", "", "range_out_of_time", 0},
		{"the last year of the calendar", "9999-01-01", "9999-01-02", "", "range_out_of_time", 0},
		{"the first day", "1970-01-01", "1970-01-01", "1970-01-01..1970-01-01", "", 1},
		{"the last day", "9998-12-31", "9998-12-31", "9998-12-31..9998-12-31", "", 1},
		{"from after today", "2026-04-02", "", "", "range_reversed", 0},
	}
	for _, c := range cases {
		r, err := report.NewRange(at(c.from), at(c.to), today, report.Daily)
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

func TestRangesByTheHourAreShorter(t *testing.T) {
	t.Parallel()
	today, from := day(t, "2026-03-31"), day(t, "2026-03-01")
	if r, err := report.NewRange(&from, nil, today, report.Hourly); err != nil || r.Days() != 31 {
		t.Errorf("31 days: %s, %v", r, err)
	}
	from = day(t, "2026-02-28")
	if _, err := report.NewRange(&from, nil, today, report.Hourly); errs.CodeOf(err) != "range_too_long" {
		t.Errorf("32 days: %v", err)
	}
}

// earned returns revenue in euros.
func earned(minor int64) report.Revenue {
	return report.Revenue{{Currency: "EUR", Money: stats.Money{GrossMinor: minor, Orders: 1, Units: 2}}}
}

func TestSummarize(t *testing.T) {
	t.Parallel()
	r := report.Range{From: day(t, "2026-01-01"), To: day(t, "2026-01-31")}
	first, second := stats.Counts{stats.Events: 3, stats.Views: 2, stats.Clicks: 1}, stats.Counts{stats.Purchases: 1, stats.Units: 2}
	one := report.Users{Known: true, Exact: true, Number: 1}
	got, err := report.Summarize(calendar(t, "UTC"), "u", r, []report.Row{
		{At: day(t, "2026-01-02"), Counts: report.Counts{Counts: first}},
		{At: day(t, "2026-01-05"), Counts: report.Counts{Counts: second, Revenue: earned(500)}},
	}, report.Meta{PendingEvents: 7})
	want := report.Summary{
		UserID: "u", Range: r, Meta: report.Meta{PendingEvents: 7},
		Totals: report.Counts{
			Counts:  stats.Counts{stats.Events: 3, stats.Views: 2, stats.Clicks: 1, stats.Purchases: 1, stats.Units: 2},
			Revenue: earned(500), Users: one,
		},
		Days: []report.SummaryDay{
			{Row: report.Row{At: day(t, "2026-01-02"), Counts: report.Counts{Counts: first, Users: one}}},
			{Row: report.Row{At: day(t, "2026-01-05"), Counts: report.Counts{Counts: second, Revenue: earned(500), Users: one}}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if nobody, err := report.Summarize(calendar(t, "UTC"), "u", r, nil, report.Meta{}); err != nil || nobody.Totals.Users.Number != 0 || nobody.Days == nil {
		t.Errorf("a user that did nothing: %+v", nobody)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	for i, column := range stats.Columns() {
		if counter, ok := report.Metric(column).Counter(); !ok || counter != stats.Counter(i) {
			t.Errorf("%s is counter %d (%t)", column, counter, ok)
		}
	}
	for metric, sales := range map[report.Metric]bool{
		report.Views: false, report.Events: false, report.UniqueUsers: false, "clicks": false, "add_to_carts": false,
		"purchases": true, "units": true, report.Gross: true, report.Refunded: true, report.Net: true,
	} {
		if metric.IsSales() != sales {
			t.Errorf("%s shows sales: %t", metric, !sales)
		}
	}
}

// Amounts in different currencies stay apart, whatever the order in which they come.
func TestRevenueIsByCurrency(t *testing.T) {
	t.Parallel()
	var r report.Revenue
	for _, a := range []report.Amount{
		{"JPY", stats.Money{GrossMinor: 50000, Orders: 1}}, {"EUR", stats.Money{GrossMinor: 40000, Orders: 1}},
		{"EUR", stats.Money{RefundedMinor: 41000}}, {"KWD", stats.Money{GrossMinor: 1234}},
	} {
		if err := r.Add(a.Currency, a.Money); err != nil {
			t.Fatal(err)
		}
	}
	want := report.Revenue{
		{"EUR", stats.Money{GrossMinor: 40000, RefundedMinor: 41000, Orders: 1}}, {"JPY", stats.Money{GrossMinor: 50000, Orders: 1}}, {"KWD", stats.Money{GrossMinor: 1234}},
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := r.Add("EUR", stats.Money{GrossMinor: 1<<63 - 1}); errs.CodeOf(err) != "number_too_large" {
		t.Errorf("too much: %v", err)
	}
}
