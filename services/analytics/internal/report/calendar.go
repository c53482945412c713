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
	Zone      *time.Location
	WeekStart time.Weekday
}

// Today is the date that clocks of the project show at t.
func (c Calendar) Today(t time.Time) time.Time { return localtime.DayOf(t, c.Zone).Date() }

// Starts returns the first instant of a date, with the offset of the zone at that time.
func (c Calendar) Starts(date time.Time) time.Time {
	return localtime.DayOfDate(date).Start(c.Zone).In(c.Zone)
}

// Ends returns the first instant after a date. Where clocks are put back just after midnight, that is after the next date has begun.
func (c Calendar) Ends(date time.Time) time.Time {
	return localtime.Always(c.Zone).Over(localtime.DayOfDate(date))
}

// Hours returns the hours of a range. There are none if the range is a day that the zone skipped.
func (c Calendar) Hours(r Range) []localtime.LocalHour {
	return localtime.Always(c.Zone).Hours(localtime.DayOfDate(r.From), localtime.DayOfDate(r.To))
}

// bucket is an interval of a series.
type bucket struct {
	start, end time.Time // instants
	hour       time.Time // of its row; zero for other intervals
	until      time.Time // rows of earlier days belong to it or to an earlier bucket; zero for an hour
	whole      bool      // the range has all of it
}

// buckets returns the intervals that a range touches. A day that the zone skipped is none.
func (c Calendar) buckets(r Range, interval Interval) (all []bucket) {
	if interval == Hourly {
		for _, hour := range c.Hours(r) {
			// Where clocks go back by half an hour, an hour starts within another.
			all = append(all, bucket{start: hour.Start, end: hour.Hour.Add(time.Hour), hour: hour.Hour, whole: true})
		}
		return all
	}
	for first := c.first(r.From, interval); !first.After(r.To); {
		next := c.next(first, interval)
		start, end := c.Starts(first), c.Ends(next.AddDate(0, 0, -1))
		if start.Before(end) { // a zone that crosses the date line to the west skips a day
			all = append(all, bucket{
				start: start, end: end, until: next,
				whole: !first.Before(r.From) && !next.After(r.To.AddDate(0, 0, 1)),
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
