package report_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// users returns the sketch of users number first to last.
func users(first, last int64) *sketch.Sketch {
	s := sketch.New()
	for i := first; i <= last; i++ {
		s.Insert(i)
	}
	return s
}

func calendar(t *testing.T, zone string) report.Calendar {
	t.Helper()
	location, err := localtime.Load(zone)
	if err != nil {
		t.Fatal(err)
	}
	return report.Calendar{Zones: localtime.Always(location), WeekStart: time.Monday}
}

func TestNewSeries(t *testing.T) {
	t.Parallel()
	// From a Wednesday to the Tuesday after the next month's first.
	r := report.Range{From: day(t, "2026-04-29"), To: day(t, "2026-05-05")}
	first := stats.Counts{stats.Events: 10, stats.Views: 10}
	second := stats.Counts{stats.Events: 5, stats.Views: 4, stats.Clicks: 1}
	third := stats.Counts{stats.Purchases: 2, stats.Units: 3}
	stored := report.Stored{
		Rows: []report.Row{
			{At: day(t, "2026-04-29"), Counts: report.Counts{Counts: first}},
			{At: day(t, "2026-05-03"), Counts: report.Counts{Counts: second}},
			{At: day(t, "2026-05-04"), Counts: report.Counts{Counts: third, Revenue: earned(900)}},
		},
		Sketches: map[time.Time]*sketch.Sketch{
			day(t, "2026-04-29"): users(1, 4), day(t, "2026-05-03"): users(3, 5), day(t, "2026-05-04"): users(5, 6),
		},
	}
	guess := func(c stats.Counts, revenue report.Revenue, number int64) report.Counts {
		return report.Counts{Counts: c, Revenue: revenue, Users: report.Users{Known: true, Number: number}}
	}
	none := guess(stats.Counts{}, nil, 0)
	early := stats.Counts{stats.Events: 15, stats.Views: 14, stats.Clicks: 1}
	all := stats.Counts{stats.Events: 15, stats.Views: 14, stats.Clicks: 1, stats.Purchases: 2, stats.Units: 3}
	type points map[string]report.Counts
	cases := map[report.Interval]points{
		report.Daily: {
			"2026-04-29": guess(first, nil, 4), "2026-04-30": none, "2026-05-01": none, "2026-05-02": none,
			"2026-05-03": guess(second, nil, 3), "2026-05-04": guess(third, earned(900), 2), "2026-05-05": none,
		},
		report.Weekly: {"2026-04-27": guess(early, nil, 5), "2026-05-04": guess(third, earned(900), 2)},
		report.Monthly: {
			"2026-04-01": guess(first, nil, 4),
			"2026-05-01": guess(stats.Counts{stats.Events: 5, stats.Views: 4, stats.Clicks: 1, stats.Purchases: 2, stats.Units: 3}, earned(900), 4),
		},
	}
	for interval, want := range cases {
		series, err := report.NewSeries(calendar(t, "UTC"), r, interval, stored, time.Now())
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
		if diff := cmp.Diff(guess(all, earned(900), 6), series.Totals); diff != "" {
			t.Errorf("%s: totals must not depend on the interval (-want +got):\n%s", interval, diff)
		}
	}
}

// starts returns the starts of the points of a series without numbers, in brackets while they are not complete.
func starts(t *testing.T, c report.Calendar, from, to string, interval report.Interval, completeUntil string) (texts []string) {
	t.Helper()
	until, err := time.Parse(time.RFC3339, completeUntil)
	if err != nil {
		t.Fatal(err)
	}
	series, err := report.NewSeries(c, report.Range{From: day(t, from), To: day(t, to)}, interval, report.Stored{}, until)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range series.Points {
		text := p.Start.Format(time.RFC3339)
		if !p.Complete {
			text = "(" + text + ")"
		}
		texts = append(texts, text)
	}
	return texts
}

func TestPointsStartWhereTheProjectLives(t *testing.T) {
	t.Parallel()
	sundays := calendar(t, "America/St_Johns")
	sundays.WeekStart = time.Sunday
	cases := map[string]struct {
		got, want []string
	}{
		"days in Kolkata": {
			starts(t, calendar(t, "Asia/Kolkata"), "2026-03-01", "2026-03-03", report.Daily, "2026-03-02T18:30:00Z"),
			[]string{"2026-03-01T00:00:00+05:30", "2026-03-02T00:00:00+05:30", "(2026-03-03T00:00:00+05:30)"},
		},
		"days about a change of clocks": {
			starts(t, calendar(t, "Europe/Berlin"), "2026-03-28", "2026-03-30", report.Daily, "2026-03-29T21:59:59Z"),
			[]string{"2026-03-28T00:00:00+01:00", "(2026-03-29T00:00:00+01:00)", "(2026-03-30T00:00:00+02:00)"},
		},
		"a day that the zone skipped has no point": {
			starts(t, calendar(t, "Pacific/Apia"), "2011-12-29", "2011-12-31", report.Daily, "2012-01-01T00:00:00Z"),
			[]string{"2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"},
		},
		"a day of 23 hours is over at 22:00 UTC": {
			starts(t, calendar(t, "Europe/Berlin"), "2026-03-29", "2026-03-29", report.Daily, "2026-03-29T22:00:00Z"),
			[]string{"2026-03-29T00:00:00+01:00"},
		},
		"a day is not over while clocks that were put back show it again": {
			starts(t, calendar(t, "America/St_Johns"), "2010-11-06", "2010-11-06", report.Daily, "2010-11-07T03:29:00Z"),
			[]string{"(2010-11-06T00:00:00-02:30)"},
		},
		"weeks from Monday, cut at both ends": {
			starts(t, calendar(t, "UTC"), "2026-04-28", "2026-05-12", report.Weekly, "2026-06-01T00:00:00Z"),
			[]string{"(2026-04-27T00:00:00Z)", "2026-05-04T00:00:00Z", "(2026-05-11T00:00:00Z)"},
		},
		"weeks from Sunday": {
			starts(t, sundays, "2026-03-01", "2026-03-14", report.Weekly, "2026-03-15T02:29:00Z"),
			[]string{"2026-03-01T00:00:00-03:30", "(2026-03-08T00:00:00-03:30)"},
		},
		"months": {
			starts(t, calendar(t, "Europe/Berlin"), "2026-02-01", "2026-04-15", report.Monthly, "2026-03-31T22:00:00Z"),
			[]string{"2026-02-01T00:00:00+01:00", "2026-03-01T00:00:00+01:00", "(2026-04-01T00:00:00+02:00)"},
		},
	}
	for name, c := range cases {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A row of each hour is in the point of its hour, on days with 23 and 25 hours and where clocks change by half an hour.
func TestHours(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		zone, day string
		hours     int
		some      map[int]string // starts by their place
	}{
		{"UTC", "2026-03-29", 24, map[int]string{0: "2026-03-29T00:00:00Z", 23: "2026-03-29T23:00:00Z"}},
		{"Europe/Berlin", "2026-03-29", 23, map[int]string{1: "2026-03-29T01:00:00+01:00", 2: "2026-03-29T03:00:00+02:00"}},
		{"Europe/Berlin", "2026-10-25", 25, map[int]string{2: "2026-10-25T02:00:00+02:00", 3: "2026-10-25T02:00:00+01:00"}},
		{"Asia/Kolkata", "2026-01-01", 24, map[int]string{23: "2026-01-01T23:00:00+05:30"}},
		{"Australia/Lord_Howe", "2026-04-05", 25, map[int]string{1: "2026-04-05T01:00:00+11:00", 2: "2026-04-05T01:30:00+10:30", 3: "2026-04-05T02:00:00+10:30"}},
		{"Australia/Lord_Howe", "2026-10-04", 24, map[int]string{1: "2026-10-04T01:00:00+10:30", 2: "2026-10-04T02:30:00+11:00", 3: "2026-10-04T03:00:00+11:00"}},
		{"America/St_Johns", "2010-03-14", 23, map[int]string{0: "2010-03-14T00:00:00-03:30", 1: "2010-03-14T02:00:00-02:30"}},
		{"America/St_Johns", "2010-11-06", 25, map[int]string{23: "2010-11-06T23:00:00-02:30", 24: "2010-11-06T23:01:00-03:30"}},
		{"America/St_Johns", "2010-11-07", 25, map[int]string{0: "2010-11-07T00:00:00-02:30", 1: "2010-11-07T00:00:00-03:30"}},
		{"Antarctica/Troll", "2026-03-29", 22, map[int]string{1: "2026-03-29T03:00:00+02:00"}},
		{"Antarctica/Troll", "2026-10-25", 26, map[int]string{2: "2026-10-25T02:00:00+02:00", 3: "2026-10-25T01:00:00Z"}},
	} {
		c := calendar(t, test.zone)
		r := report.Range{From: day(t, test.day), To: day(t, test.day)}
		var stored report.Stored
		for i, hour := range c.Hours(r) {
			stored.Rows = append(stored.Rows, report.Row{At: hour.Hour, Counts: report.Counts{Counts: stats.Counts{stats.Events: int64(i + 1)}}})
		}
		series, err := report.NewSeries(c, r, report.Hourly, stored, c.Ends(r.To))
		if err != nil || len(series.Points) != test.hours {
			t.Errorf("%s in %s has %d hours, %v; want %d", test.day, test.zone, len(series.Points), err, test.hours)
			continue
		}
		for i, p := range series.Points {
			if p.Counts.Counts[stats.Events] != int64(i+1) || p.Counts.Users.Known || !p.Complete {
				t.Errorf("%s: hour %s: %+v", test.zone, p.Start, p)
			}
		}
		for i, want := range test.some {
			if got := series.Points[i].Start.Format(time.RFC3339); got != want {
				t.Errorf("%s: hour %d starts at %s, want %s", test.zone, i, got, want)
			}
		}
		if n := int64(test.hours); series.Totals.Counts[stats.Events] != n*(n+1)/2 {
			t.Errorf("%s: %d events in all", test.zone, series.Totals.Counts[stats.Events])
		}
	}
}

// Users of a day of a project are known exactly; those of more than a day are estimated.
func TestUsersAreExactForADay(t *testing.T) {
	t.Parallel()
	monday := day(t, "2026-05-04")
	r := report.Range{From: monday, To: monday.AddDate(0, 0, 1)}
	stored := report.Stored{
		Rows:     []report.Row{{At: monday, Counts: report.Counts{Counts: stats.Counts{stats.Events: 100}}}},
		Sketches: map[time.Time]*sketch.Sketch{monday: users(1, 7)}, Exact: map[time.Time]int64{monday: 8},
	}
	series, err := report.NewSeries(calendar(t, "UTC"), r, report.Daily, stored, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	got := []report.Users{series.Points[0].Counts.Users, series.Points[1].Counts.Users, series.Totals.Users}
	want := []report.Users{{Known: true, Exact: true, Number: 8}, {Known: true, Exact: true}, {Known: true, Number: 7}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
