package localtime

import (
	"testing"
	"time"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func day(year int, month time.Month, d int) Day {
	return DayOfDate(time.Date(year, month, d, 0, 0, 0, 0, time.UTC))
}

func TestStartsOfDays(t *testing.T) {
	for _, test := range []struct {
		zone  string
		day   Day
		start string
		hours int
	}{
		{"UTC", day(2026, 3, 29), "2026-03-29T00:00:00Z", 24},
		{"Europe/Berlin", day(2026, 3, 29), "2026-03-29T00:00:00+01:00", 23},
		{"Europe/Berlin", day(2026, 10, 25), "2026-10-25T00:00:00+02:00", 25},
		{"Asia/Kolkata", day(2026, 1, 1), "2026-01-01T00:00:00+05:30", 24},
		{"America/St_Johns", day(2026, 3, 8), "2026-03-08T00:00:00-03:30", 23},
		{"Australia/Lord_Howe", day(2026, 4, 5), "2026-04-05T00:00:00+11:00", 25},  // 24.5 hours: 1:30 to 2:00 comes twice
		{"Australia/Lord_Howe", day(2026, 10, 4), "2026-10-04T00:00:00+10:30", 24}, // 23.5 hours: 2:00 to 2:30 is skipped
		{"America/Sao_Paulo", day(2018, 11, 4), "2018-11-04T01:00:00-02:00", 23},   // midnight is skipped
		{"America/Havana", day(2026, 11, 1), "2026-11-01T00:00:00-04:00", 25},      // midnight comes twice
		{"America/Sao_Paulo", day(2018, 2, 17), "2018-02-17T00:00:00-02:00", 25},   // the day ends twice
		{"Pacific/Apia", day(2011, 12, 30), "2011-12-31T00:00:00+14:00", 0},        // there was no such day
		{"Africa/Cairo", day(2026, 4, 24), "2026-04-24T01:00:00+03:00", 23},        // midnight is skipped
	} {
		z := zone(t, test.zone)
		start := test.day.Start(z)
		if got := start.In(z).Format(time.RFC3339); got != test.start {
			t.Errorf("%s in %s starts at %s, want %s", test.day, test.zone, got, test.start)
		}
		if hours := Always(z).Hours(test.day, test.day); len(hours) != test.hours || !Always(z).Start(test.day).Equal(start) {
			t.Errorf("%s in %s has %d hours, want %d: %v", test.day, test.zone, len(hours), test.hours, hours)
		}
	}
}

// Every instant of many years is in exactly the day that its clocks show, and in one of the hours of that day, in each zone.
func TestDaysAndHoursPartitionTime(t *testing.T) {
	for _, name := range []string{
		"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe",
		"America/Havana", "Africa/Cairo", "Asia/Beirut", "America/Sao_Paulo", "Pacific/Apia", "Africa/Casablanca", "America/Santiago",
	} {
		z := zone(t, name)
		for d := day(2010, 12, 31); d <= day(2027, 1, 1); d++ {
			start, end := d.Start(z), (d + 1).Start(z)
			hours := map[int64]bool{}
			for _, h := range Always(z).Hours(d, d) {
				if hours[h.Hour.Unix()] {
					t.Fatalf("%s in %s has the hour %s twice", d, name, h.Hour)
				}
				hours[h.Hour.Unix()] = true
			}
			for at := start; at.Before(end); at = at.Add(15 * time.Minute) {
				if DayOf(at, z) != d || at.In(z).Format(time.DateOnly) != d.String() {
					t.Fatalf("%s in %s is in %s, not %s", at, name, DayOf(at, z), d)
				}
				if h := HourOf(at, z); !hours[h.Unix()] {
					t.Fatalf("%s in %s is in the hour %s, which %s does not have", at, name, h, d)
				}
			}
			if last := end.Add(-time.Microsecond); end.After(start) && DayOf(last, z) != d {
				t.Fatalf("%s in %s is in %s, not %s", last, name, DayOf(last, z), d)
			}
		}
	}
}

func TestZonesOfMachinesAreRefused(t *testing.T) {
	for _, name := range []string{"", "Local", "Europe/Atlantis", "../etc/passwd", "localtime", "posixrules", "posix/Europe/Berlin", "Factory"} {
		if _, err := Load(name); err == nil {
			t.Errorf("%q is a zone", name)
		}
	}
}
