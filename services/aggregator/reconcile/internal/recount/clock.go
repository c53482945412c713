package recount

import (
	"slices"
	"time"
)

// Micros is a time as Postgres sends it: in microseconds since the beginning of 2000, UTC.
type Micros int64

// Date is a date as Postgres sends it: in days since 2000-01-01.
type Date int32

var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Time returns the time in UTC.
func (m Micros) Time() time.Time { return epoch.Add(time.Duration(m) * time.Microsecond) }

// Time returns midnight in UTC, which stands for the date.
func (d Date) Time() time.Time { return epoch.AddDate(0, 0, int(d)) }

// Moment is what the clocks of a project show from a time on.
type Moment struct {
	From Micros
	Hour Micros // when the hour began
	Day  Date
}

// Clock tells the hours and days of a range of time. Postgres has computed them, and not the package that the fold uses.
type Clock struct {
	moments []Moment // in order; what one shows holds until the next
	last    int      // the moment of the last time, which is usually that of the next, too
	days    map[Micros]Date
}

// NewClock returns the clock that shows what is true at a grid of times, in order and so dense that each hour has one. Between two
// of them, an hour begins when it says so; if it says that it began before the first of the two, the clocks were changed at the
// second.
func NewClock(grid []Moment) *Clock {
	c := &Clock{days: map[Micros]Date{}}
	for i, at := range grid {
		if n := len(c.moments); n > 0 && c.moments[n-1].Hour == at.Hour && c.moments[n-1].Day == at.Day {
			continue
		}
		if i > 0 && at.Hour > grid[i-1].From {
			at.From = at.Hour
		}
		c.moments = append(c.moments, at)
		c.days[at.Hour] = at.Day
	}
	return c
}

// At returns the hour and the day of a time within the range.
func (c *Clock) At(ts Micros) (Micros, Date) {
	if !c.holds(c.last, ts) {
		n, found := slices.BinarySearchFunc(c.moments, ts, func(m Moment, ts Micros) int { return int(min(1, max(-1, m.From-ts))) })
		if !found {
			n = max(0, n-1)
		}
		c.last = n
	}
	at := &c.moments[c.last]
	return at.Hour, at.Day
}

func (c *Clock) holds(n int, ts Micros) bool {
	return c.moments[n].From <= ts && (n+1 == len(c.moments) || ts < c.moments[n+1].From)
}

// DayOf returns the day of an hour. An hour that the clock does not have, as only a wrong rollup can, is of no day.
func (c *Clock) DayOf(hour Micros) (Date, bool) {
	day, ok := c.days[hour]
	return day, ok
}
