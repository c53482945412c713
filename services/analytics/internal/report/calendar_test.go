package report_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// changed is the calendar of a project that got another time zone on the start of a day there.
func changed(t *testing.T, from, to, on string) report.Calendar {
	t.Helper()
	c, next := calendar(t, from), calendar(t, to).Zones.Current()
	c.Zones = c.Zones.Change(localtime.DayOfDate(day(t, on)).Start(next), next)
	return c
}

// Points around a change of the zone start and end where the rollups say, have the offset of their time, and tell when they are longer or
// shorter than others.
func TestPointsAroundAChangeOfZone(t *testing.T) {
	t.Parallel()
	type point struct {
		start   string
		changed bool
	}
	week := report.Range{From: day(t, "2026-03-09"), To: day(t, "2026-03-12")}
	one := report.Range{From: day(t, "2026-03-11"), To: day(t, "2026-03-11")}
	for name, test := range map[string]struct {
		calendar report.Calendar
		in       report.Range
		interval report.Interval
		want     []point
	}{
		"to the west, a day is longer": {changed(t, "Asia/Kolkata", "America/New_York", "2026-03-11"), week, report.Daily, []point{
			{"2026-03-09T00:00:00+05:30", false}, {"2026-03-10T00:00:00+05:30", false},
			{"2026-03-11T00:00:00+05:30", true}, {"2026-03-12T00:00:00-04:00", false},
		}},
		"to the east, a day is shorter": {changed(t, "America/New_York", "Asia/Kolkata", "2026-03-11"), week, report.Daily, []point{
			{"2026-03-09T00:00:00-04:00", false}, {"2026-03-10T00:00:00-04:00", true},
			{"2026-03-11T00:00:00+05:30", false}, {"2026-03-12T00:00:00+05:30", false},
		}},
		"by less than the clocks differ": {changed(t, "Europe/Berlin", "Europe/Paris", "2026-03-11"), week, report.Daily, []point{
			{"2026-03-09T00:00:00+01:00", false}, {"2026-03-10T00:00:00+01:00", false},
			{"2026-03-11T00:00:00+01:00", false}, {"2026-03-12T00:00:00+01:00", false},
		}},
		"the week and the month of it": {changed(t, "Asia/Kolkata", "America/New_York", "2026-03-11"), week, report.Weekly, []point{
			{"2026-03-09T00:00:00+05:30", true},
		}},
		"months before and after": {
			changed(t, "Asia/Kolkata", "America/New_York", "2026-03-11"),
			report.Range{From: day(t, "2026-02-01"), To: day(t, "2026-04-30")}, report.Monthly,
			[]point{{"2026-02-01T00:00:00+05:30", false}, {"2026-03-01T00:00:00+05:30", true}, {"2026-04-01T00:00:00-04:00", false}},
		},
	} {
		series, err := report.NewSeries(test.calendar, test.in, test.interval, report.Stored{}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		var got []point
		for _, p := range series.Points {
			got = append(got, point{p.Start.Format(time.RFC3339), p.ZoneChanged})
		}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(point{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	hours, err := report.NewSeries(changed(t, "Asia/Kolkata", "America/New_York", "2026-03-11"), one, report.Hourly, report.Stored{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	// The eleventh hour of Kolkata, from 3:30 UTC, has only half of it. 24 hours of New York follow.
	var cut []string
	for _, p := range hours.Points {
		if p.ZoneChanged {
			cut = append(cut, p.Start.Format(time.RFC3339))
		}
	}
	if len(hours.Points) != 10+24 || len(cut) != 1 || cut[0] != "2026-03-11T09:00:00+05:30" {
		t.Errorf("%d hours, cut: %v", len(hours.Points), cut)
	}
}

// An interval that the change has shortened is complete when it is over.
func TestAShortenedIntervalIsCompleteWhenItIsOver(t *testing.T) {
	t.Parallel()
	c := changed(t, "Asia/Kolkata", "America/New_York", "2026-03-11")
	r := report.Range{From: day(t, "2026-03-11"), To: day(t, "2026-03-11")}
	hours, err := report.NewSeries(c, r, report.Hourly, report.Stored{}, time.Date(2026, 3, 11, 4, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if !hours.Points[9].Complete || hours.Points[10].Complete {
		t.Errorf("%+v, then %+v", hours.Points[9], hours.Points[10])
	}
}

// A range names the zones by which its days are counted, and no others.
func TestZonesOfARange(t *testing.T) {
	t.Parallel()
	c := changed(t, "Asia/Kolkata", "America/New_York", "2026-03-11")
	kolkata, newYork := "Asia/Kolkata", "America/New_York"
	for _, test := range []struct {
		from, to string
		want     []report.ZoneDay
	}{
		{"2026-03-01", "2026-03-10", []report.ZoneDay{{kolkata, day(t, "2026-03-01")}}},
		{"2026-03-01", "2026-03-11", []report.ZoneDay{{kolkata, day(t, "2026-03-01")}, {newYork, day(t, "2026-03-11")}}},
		{"2026-03-11", "2026-03-11", []report.ZoneDay{{kolkata, day(t, "2026-03-11")}, {newYork, day(t, "2026-03-11")}}},
		{"2026-03-12", "2026-03-30", []report.ZoneDay{{newYork, day(t, "2026-03-12")}}},
	} {
		if diff := cmp.Diff(test.want, c.ZonesOf(report.Range{From: day(t, test.from), To: day(t, test.to)})); diff != "" {
			t.Errorf("%s to %s (-want +got):\n%s", test.from, test.to, diff)
		}
	}
	if today := c.Today(time.Date(2026, 3, 11, 3, 0, 0, 0, time.UTC)); !today.Equal(day(t, "2026-03-11")) {
		t.Errorf("today is %s before the change", today)
	}
}
