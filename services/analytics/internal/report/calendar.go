package report

import (
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
)

// Interval is the length of a point of a series.
type Interval string

// The intervals.
const (
	Hourly  Interval = "hour"
	Daily   Interval = "day"
	Weekly  Interval = "week"
	Monthly Interval = "month"
)

// Calendar divides time as a project does.
type Calendar struct {
	Zones     localtime.History // by whose days and hours the rollups count
	WeekStart time.Weekday
}

// Today is the date that clocks of the project show at t.
func (c Calendar) Today(t time.Time) time.Time { return c.Zones.Day(t).Date() }

// Starts returns the first instant of a date, with the offset of the zone at that time.
func (c Calendar) Starts(date time.Time) time.Time { return c.Zones.Start(localtime.DayOfDate(date)) }

// Ends returns the first instant after a date. Where clocks are put back just after midnight, that is after the next date has begun.
func (c Calendar) Ends(date time.Time) time.Time { return c.Zones.Over(localtime.DayOfDate(date)) }

// Hours returns the hours of a range. There are none if the range is a day that the zone skipped.
func (c Calendar) Hours(r Range) []localtime.LocalHour {
	return c.Zones.Hours(localtime.DayOfDate(r.From), localtime.DayOfDate(r.To))
}

// ZoneDay is a time zone and the first day of a range that it counts.
type ZoneDay struct {
	Zone string    // its IANA name
	From time.Time // a date
}

// ZonesOf returns the time zones whose days a range has, in order. The last one can have only a part of its first day.
func (c Calendar) ZonesOf(r Range) []ZoneDay {
	from, to := c.Starts(r.From), c.Ends(r.To)
	var all []ZoneDay
	for i, era := range c.Zones.Between(from, to) {
		zone := ZoneDay{Zone: era.Zone.String(), From: r.From}
		if i > 0 {
			zone.From = c.Zones.Day(era.Since).Date()
		}
		all = append(all, zone)
	}
	return all
}

// ZoneChangedOn reports whether a day is longer or shorter because another time zone began.
func (c Calendar) ZoneChangedOn(date time.Time) bool {
	return c.zoneChanged(date, date, c.Starts(date), c.Ends(date))
}

// zoneChanged reports whether the days from first to last have other bounds than in the zone in which they begin.
func (c Calendar) zoneChanged(first, last, start, end time.Time) bool {
	if len(c.Zones) == 1 {
		return false
	}
	one := Calendar{Zones: localtime.Always(c.Zones.At(start))}
	return !one.Starts(first).Equal(start) || !one.Ends(last).Equal(end)
}

// hourEnds returns when an hour ends: after an hour, unless a time zone with other hours begins before. cut reports that it does.
func (c Calendar) hourEnds(h localtime.LocalHour) (end time.Time, cut bool) {
	end = h.Hour.Add(time.Hour)
	for _, era := range c.Zones[1:] {
		if era.Since.After(h.Start) && era.Since.Before(end) && !c.Zones.Hour(era.Since).Equal(h.Hour) {
			return era.Since, true
		}
	}
	return end, false
}

// bucket is an interval of a series.
type bucket struct {
	start, end time.Time // instants
	hour       time.Time // of its row; zero for other intervals
	until      time.Time // rows of earlier days belong to it or to an earlier bucket; zero for an hour
	whole      bool      // the range has all of it
	changed    bool      // it is longer or shorter because another time zone began
}

// buckets returns the intervals that a range touches. A day that the zone skipped is none.
func (c Calendar) buckets(r Range, interval Interval) (all []bucket) {
	if interval == Hourly {
		for _, hour := range c.Hours(r) {
			// Where clocks go back by half an hour, an hour starts within another.
			end, cut := c.hourEnds(hour)
			all = append(all, bucket{start: hour.Start, end: end, hour: hour.Hour, whole: true, changed: cut})
		}
		return all
	}
	for first := c.first(r.From, interval); !first.After(r.To); {
		next := c.next(first, interval)
		last := next.AddDate(0, 0, -1)
		start, end := c.Starts(first), c.Ends(last)
		if start.Before(end) { // a zone that crosses the date line to the west skips a day
			all = append(all, bucket{
				start: start, end: end, until: next,
				whole:   !first.Before(r.From) && !next.After(r.To.AddDate(0, 0, 1)),
				changed: c.zoneChanged(first, last, start, end),
			})
		}
		first = next
	}
	return all
}

// first returns the first date of the interval that contains date.
func (c Calendar) first(date time.Time, interval Interval) time.Time {
	switch interval {
	case Weekly:
		since := (int(date.Weekday()) - int(c.WeekStart) + 7) % 7
		return date.AddDate(0, 0, -since)
	case Monthly:
		return date.AddDate(0, 0, 1-date.Day())
	case Daily, Hourly:
	}
	return date
}

// next returns the first date of the following interval. first is the first date of an interval.
func (c Calendar) next(first time.Time, interval Interval) time.Time {
	switch interval {
	case Weekly:
		return first.AddDate(0, 0, 7)
	case Monthly:
		return first.AddDate(0, 1, 0)
	case Daily, Hourly:
	}
	return first.AddDate(0, 0, 1)
}
