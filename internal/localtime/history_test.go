package localtime

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

// histories are changes of zones in every direction, and single zones whose clocks change at odd times.
func histories(t *testing.T) map[string]History {
	t.Helper()
	change := func(from, to, when string) History {
		return Always(zone(t, from)).Change(at(t, when), zone(t, to))
	}
	return map[string]History{
		"Kolkata to New York":      change("Asia/Kolkata", "America/New_York", "2026-03-05T05:00:00Z"),
		"New York to Kolkata":      change("America/New_York", "Asia/Kolkata", "2026-03-04T18:30:00Z"),
		"New York to Lord Howe":    change("America/New_York", "Australia/Lord_Howe", "2026-04-04T13:00:00Z"),
		"Kiritimati to Pago Pago":  change("Pacific/Kiritimati", "Pacific/Pago_Pago", "2026-03-05T11:00:00Z"),
		"Pago Pago to Kiritimati":  change("Pacific/Pago_Pago", "Pacific/Kiritimati", "2026-03-04T10:00:00Z"),
		"within an hour":           change("UTC", "Asia/Kathmandu", "2026-03-05T07:07:00Z"),
		"three zones in two days":  change("Asia/Kolkata", "America/New_York", "2026-03-05T05:00:00Z").Change(at(t, "2026-03-06T00:00:00Z"), zone(t, "Asia/Tokyo")),
		"St. John's at 00:01":      Always(zone(t, "America/St_Johns")),
		"Troll, by two hours":      Always(zone(t, "Antarctica/Troll")),
		"Lord Howe, by half of it": Always(zone(t, "Australia/Lord_Howe")),
	}
}

// The days and hours of a history are exactly those that the clocks show at each of its instants.
func TestHistoriesPartitionTime(t *testing.T) {
	ranges := [][2]Day{
		{day(2026, 3, 1), day(2026, 3, 9)}, {day(2026, 4, 2), day(2026, 4, 7)}, {day(2026, 10, 3), day(2026, 10, 5)}, {day(2026, 10, 24), day(2026, 10, 26)},
		{day(2010, 3, 12), day(2010, 3, 16)}, {day(2010, 11, 5), day(2010, 11, 9)}, {day(1988, 10, 29), day(1988, 11, 1)},
	}
	for name, h := range histories(t) {
		for _, r := range ranges {
			days, hours := map[Day][]time.Time{}, map[string]bool{}
			for at := r[0].Date().Add(-48 * time.Hour); at.Before(r[1].Date().Add(72 * time.Hour)); at = at.Add(time.Minute) {
				local := at.In(h.At(at))
				if h.Day(at).String() != local.Format(time.DateOnly) {
					t.Fatalf("%s: %s is in %s", name, local, h.Day(at))
				}
				days[h.Day(at)] = append(days[h.Day(at)], at)
				if d := h.Day(at); d >= r[0] && d <= r[1] {
					hours[h.Hour(at).Format(time.RFC3339)] = true
				}
			}
			for d := r[0]; d <= r[1]; d++ {
				from, to, ok := h.Bounds(d, d)
				if ok != (len(days[d]) > 0) {
					t.Errorf("%s: %s has bounds: %t", name, d, ok)
				}
				if ok && (!from.Equal(days[d][0]) || !to.Equal(days[d][len(days[d])-1].Add(time.Minute)) || !h.Start(d).Equal(from) || !h.Over(d).Equal(to)) {
					t.Errorf("%s: %s is from %s to %s, want %s to %s", name, d, from, to, days[d][0], days[d][len(days[d])-1])
				}
			}
			got := map[string]bool{}
			for _, hour := range h.Hours(r[0], r[1]) {
				key := hour.Hour.Format(time.RFC3339)
				if got[key] || !h.Hour(hour.Start).Equal(hour.Hour) || hour.Start.Format(time.RFC3339) != hour.Start.In(h.At(hour.Start)).Format(time.RFC3339) {
					t.Errorf("%s: the hour %s starts at %s, twice: %t", name, key, hour.Start, got[key])
				}
				got[key] = true
			}
			if diff := cmp.Diff(hours, got); diff != "" {
				t.Errorf("%s: hours from %s to %s (-clocks +got):\n%s", name, r[0], r[1], diff)
			}
		}
	}
}

// Every segment moves forward, in all years.
func TestSegmentsEnd(t *testing.T) {
	for name, h := range histories(t) {
		for at, n := Beginning, 0; at.Before(End); n++ {
			s := h.Segment(at)
			if s.From.After(at) || !s.To.After(at) || n > 100_000 {
				t.Fatalf("%s: the segment of %s is from %s to %s", name, at, s.From, s.To)
			}
			at = s.To
		}
	}
}

// The start of an hour in which the clocks change is the change.
func TestStartsOfHoursWhenClocksChange(t *testing.T) {
	for _, test := range []struct {
		zone string
		day  Day
		want []string // around the change
	}{
		{"Australia/Lord_Howe", day(2026, 4, 5), []string{"01:00+11:00", "01:30+10:30", "02:00+10:30"}},
		{"Australia/Lord_Howe", day(2026, 10, 4), []string{"01:00+10:30", "02:30+11:00", "03:00+11:00"}},
		{"America/St_Johns", day(2010, 3, 14), []string{"00:00-03:30", "02:00-02:30"}},
		{"America/St_Johns", day(2010, 11, 7), []string{"00:00-02:30", "00:00-03:30", "01:00-03:30"}},
		{"America/St_Johns", day(2010, 11, 6), []string{"22:00-02:30", "23:00-02:30", "23:01-03:30"}},
		{"Antarctica/Troll", day(2026, 3, 29), []string{"00:00+00:00", "03:00+02:00", "04:00+02:00"}},
		{"Antarctica/Troll", day(2026, 10, 25), []string{"01:00+02:00", "02:00+02:00", "01:00+00:00", "02:00+00:00"}},
	} {
		var all []string
		for _, hour := range Always(zone(t, test.zone)).Hours(test.day, test.day) {
			all = append(all, hour.Start.Format("15:04-07:00"))
		}
		if i := slices.Index(all, test.want[0]); i < 0 || !slices.Equal(all[i:min(i+len(test.want), len(all))], test.want) {
			t.Errorf("%s on %s: %v, want %v", test.zone, test.day, all, test.want)
		}
	}
}

func TestChangesOfZones(t *testing.T) {
	utc, tokyo, berlin := zone(t, "UTC"), zone(t, "Asia/Tokyo"), zone(t, "Europe/Berlin")
	first, second := at(t, "2026-03-05T00:00:00Z"), at(t, "2026-03-09T00:00:00Z")
	show := func(h History) string {
		var text strings.Builder
		for _, era := range h {
			if !era.Since.IsZero() {
				text.WriteString(era.Since.Format(" 01-02 "))
			}
			text.WriteString(era.Zone.String())
		}
		return text.String()
	}
	h := Always(utc).Change(second, tokyo)
	for want, got := range map[string]History{
		"UTC 03-09 Asia/Tokyo":    h,
		"UTC 03-05 Asia/Tokyo":    h.Change(first, tokyo),
		"UTC 03-05 Europe/Berlin": h.Change(first, berlin),
		"UTC 03-09 Europe/Berlin": h.Change(second, berlin),
		"UTC":                     h.Change(first, utc),
		"Asia/Tokyo":              h.Change(time.Time{}, tokyo),
		"UTC 03-05 Europe/Berlin 03-09 Asia/Tokyo": Always(utc).Change(first, berlin).Change(second, tokyo),
	} {
		if show(got) != want {
			t.Errorf("%s, want %s", show(got), want)
		}
	}
	if got := show(h.Between(first, second)); got != " 03-05 UTC" {
		t.Error(got)
	}
	if got := show(h.Between(first, second.Add(1))); got != " 03-05 UTC 03-09 Asia/Tokyo" {
		t.Error(got)
	}
	if h.Current() != tokyo || h.At(second) != tokyo || h.At(second.Add(-1)) != utc {
		t.Error("a zone holds from the instant of its change on")
	}
}
