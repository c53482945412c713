package rollup

import (
	"math"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
)

// Clock tells the days and hours of a history of time zones, as package localtime does. It remembers between which changes of the
// clocks it was asked last, so that the next answer is arithmetic. It is not safe for concurrent use.
type Clock struct {
	zones    localtime.History
	from, to int64 // the offset holds from here up to, but not including, there; in seconds since 1970
	offset   int64 // of the zone, in seconds east of UTC
}

// NewClock returns the clock of a history.
func NewClock(zones localtime.History) *Clock { return &Clock{zones: zones, from: math.MaxInt64} }

// At returns the day and the hour of t. An hour is its start, in seconds since 1970.
func (c *Clock) At(t time.Time) (day localtime.Day, hour int64) {
	seconds := t.Unix()
	if seconds < c.from || seconds >= c.to {
		c.set(t)
	}
	local := seconds + c.offset
	return localtime.Day(floor(local, 24*60*60)), floor(local, 60*60)*60*60 - c.offset
}

// set takes the offset at t.
func (c *Clock) set(t time.Time) {
	s := c.zones.Segment(t)
	c.from, c.to, c.offset = s.From.Unix(), s.To.Unix(), int64(s.Offset)
}

// floor returns n/size, rounded down. Division rounds toward zero.
func floor(n, size int64) int64 {
	quotient := n / size
	if n%size < 0 {
		quotient--
	}
	return quotient
}
