package period

import (
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
)

func TestLatest(t *testing.T) {
	t.Parallel()
	berlin, err := localtime.Load("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		schedule    Schedule
		now         string
		first, last string
		due         string
	}{
		{Schedule{Hour: 8}, "2026-03-14T07:00:00Z", "2026-03-13", "2026-03-13", "2026-03-14T07:00:00Z"}, // 8 o'clock in Berlin
		{Schedule{Hour: 8}, "2026-03-14T06:59:59Z", "2026-03-12", "2026-03-12", "2026-03-13T07:00:00Z"},
		{Schedule{Hour: 2}, "2026-03-29T12:00:00Z", "2026-03-28", "2026-03-28", "2026-03-29T01:00:00Z"}, // the clocks skip this hour
		{Schedule{Hour: 8, Weekly: true, WeekStart: time.Monday}, "2026-03-16T07:00:00Z", "2026-03-09", "2026-03-15", "2026-03-16T07:00:00Z"},
		{Schedule{Hour: 8, Weekly: true, WeekStart: time.Monday}, "2026-03-16T06:00:00Z", "2026-03-02", "2026-03-08", "2026-03-09T07:00:00Z"},
		{Schedule{Hour: 8, Weekly: true, WeekStart: time.Sunday}, "2026-03-20T12:00:00Z", "2026-03-08", "2026-03-14", "2026-03-15T07:00:00Z"},
	} {
		test.schedule.Zone = berlin
		now, err := time.Parse(time.RFC3339, test.now)
		if err != nil {
			t.Fatal(err)
		}
		p, due := test.schedule.Latest(now)
		if p.First.String() != test.first || p.Last.String() != test.last || due.UTC().Format(time.RFC3339) != test.due {
			t.Errorf("%+v at %s: %s – %s, due %s", test.schedule, test.now, p.First, p.Last, due.UTC())
		}
	}
	cairo, err := localtime.Load("Africa/Cairo")
	if err != nil {
		t.Fatal(err)
	}
	skips := time.Date(2026, 4, 24, 12, 0, 0, 0, time.UTC) // the clocks skip midnight, so the day starts at 1 o'clock, which is 22:00 in UTC
	if p, due := (Schedule{Hour: 1, Zone: cairo}).Latest(skips); p.Last.String() != "2026-04-23" || due.Sub(p.Ends(cairo)) != time.Hour || !due.Equal(time.Date(2026, 4, 23, 23, 0, 0, 0, time.UTC)) {
		t.Errorf("where midnight is skipped, %s is due at %s", p, due.UTC())
	}
	if got := (Period{First: 10, Last: 16}).Before(); got != (Period{First: 3, Last: 9}) {
		t.Errorf("before: %+v", got)
	}
}
