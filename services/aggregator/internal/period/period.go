// Package period has the days that digests and alerts are about, and when these are due.
package period

import (
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
)

// Schedule says when a digest or the evaluation of an alert is due.
type Schedule struct {
	Weekly    bool
	Hour      int // of the day after the period, by the clocks of the project
	WeekStart time.Weekday
	Zone      *time.Location
}

const daysInWeek = 7

// Period are the days that are looked at, both inclusive.
type Period struct{ First, Last localtime.Day }

// Before returns the period of equal length before p.
func (p Period) Before() Period {
	days := p.Last - p.First + 1
	return Period{First: p.First - days, Last: p.Last - days}
}

// Ends returns the instant after the last one of the period.
func (p Period) Ends(zone *time.Location) time.Time { return (p.Last + 1).Start(zone) }

// Latest returns the newest period that is due at now, and since when it is.
func (s Schedule) Latest(now time.Time) (Period, time.Time) {
	day := localtime.DayOf(now, s.Zone)
	for ; ; day-- {
		if s.Weekly && day.Date().Weekday() != s.WeekStart {
			continue
		}
		if due := s.on(day); !due.After(now) {
			return s.before(day), due
		}
	}
}

// on returns when the clocks show the hour of the schedule on a day. An hour that the clocks skip is the one after it. It is an hour after the start of
// the day or later, even where the clocks skip midnight and 1 o'clock is that start: what was received before is visible only then.
func (s Schedule) on(day localtime.Day) time.Time {
	year, month, date := day.Date().Date()
	due, first := time.Date(year, month, date, s.Hour, 0, 0, 0, s.Zone), day.Start(s.Zone).Add(time.Hour)
	if due.Before(first) {
		return first
	}
	return due
}

func (s Schedule) before(day localtime.Day) Period {
	if s.Weekly {
		return Period{First: day - daysInWeek, Last: day - 1}
	}
	return Period{First: day - 1, Last: day - 1}
}

// String returns the days as a person reads them.
func (p Period) String() string {
	const layout = "2 January 2006"
	if p.First == p.Last {
		return p.First.Date().Format(layout)
	}
	return p.First.Date().Format(layout) + " – " + p.Last.Date().Format(layout)
}

// Grid is the distance of the instants at which anything can be due: hours of all time zones begin at quarters of hours in UTC. So nobody needs
// to look for what is due more often.
const Grid = 15 * time.Minute
