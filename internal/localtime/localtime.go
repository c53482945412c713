// Package localtime divides time into the days and hours of a time zone, as its clocks show them. Days have 23 or 25 hours when
// the clocks change, and hours of zones with an odd offset begin at odd times of UTC.
package localtime

import (
	"fmt"
	"time"
	_ "time/tzdata" // the zones, for images without a time zone database
)

// Load returns a time zone by its IANA name, all of which begin with a capital. Unlike time.LoadLocation it refuses "", "Local" and
// "localtime", which name the zone of a machine, "Factory", which is that of a machine without one, and what only some machines
// have (posixrules, posix/Europe/Berlin).
func Load(name string) (*time.Location, error) {
	if name == "" || name[0] < 'A' || name[0] > 'Z' || name == "Local" || name == "Factory" {
		return nil, fmt.Errorf("unknown time zone %q", name)
	}
	return time.LoadLocation(name)
}

// Day is a day of the calendar, as the number of days since 1970-01-01. It is no time: when it begins depends on the zone.
type Day int32

const secondsPerDay = 24 * 60 * 60

// DayOf returns the day that clocks in zone show at t.
func DayOf(t time.Time, zone *time.Location) Day {
	_, offset := t.In(zone).Zone()
	seconds := t.Unix() + int64(offset)
	day := seconds / secondsPerDay
	if seconds%secondsPerDay < 0 {
		day-- // division rounds toward zero, but a day before 1970 begins at its midnight, too
	}
	return Day(day)
}

// Date returns the day as midnight in UTC, which is how pgx reads and writes dates.
func (d Day) Date() time.Time { return time.Unix(int64(d)*secondsPerDay, 0).UTC() }

// DayOfDate returns the day of a date as pgx reads it.
func DayOfDate(date time.Time) Day { return DayOf(date, time.UTC) }

// String returns the day as YYYY-MM-DD.
func (d Day) String() string { return d.Date().Format(time.DateOnly) }

// Start returns the first instant at which clocks in zone show the day. That is usually midnight. When the clocks skip midnight
// it is later, and when they show midnight twice it is the first of the two. A day that a zone has skipped as a whole starts
// when the next one does.
func (d Day) Start(zone *time.Location) time.Time {
	year, month, day := d.Date().Date()
	at := time.Date(year, month, day, 0, 0, 0, 0, zone)
	from, to := at.ZoneBounds()
	if DayOf(at, zone) < d { // midnight does not exist, and at is before the clocks jump
		return to.In(zone)
	}
	if !from.IsZero() {
		// By the offset before the last change, midnight may have come earlier, or the change itself begins the day.
		_, offset := from.Add(-time.Nanosecond).In(zone).Zone()
		if earlier := d.Date().Add(-time.Duration(offset) * time.Second); earlier.Before(from) && DayOf(earlier, zone) == d {
			return earlier.In(zone)
		}
		if DayOf(from, zone) == d && DayOf(from.Add(-time.Nanosecond), zone) < d {
			return from.In(zone)
		}
	}
	return at
}

// HourOf returns the start of the hour that clocks in zone show at t, in UTC: t without its minutes there. Postgres'
// date_trunc('hour', t, zone) is the same.
func HourOf(t time.Time, zone *time.Location) time.Time {
	_, offset := t.In(zone).Zone()
	return startOfHour(t, offset)
}

func startOfHour(t time.Time, offset int) time.Time {
	const hour = 60 * 60
	seconds := t.Unix()
	past := (seconds + int64(offset)) % hour
	if past < 0 {
		past += hour
	}
	return time.Unix(seconds-past, 0).UTC()
}
