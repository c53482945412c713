package rollup

import (
	"math"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
)

// Clock tells the days and hours of a time zone, as package localtime does. It remembers between which changes of the clocks it
// was asked last, so that the next answer is arithmetic. It is not safe for concurrent use.
type Clock struct {
	zone     *time.Location
	from, to int64 // the offset holds from here up to, but not including, there; in seconds since 1970
	offset   int64 // of the zone, in seconds east of UTC
}

// NewClock returns the clock of a zone.
func NewClock(zone *time.Location) *Clock { return &Clock{zone: zone, from: math.MaxInt64} }

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
	local := t.In(c.zone)
	_, offset := local.Zone()
	c.from, c.to, c.offset = math.MinInt64, math.MaxInt64, int64(offset)
	from, to := local.ZoneBounds()
	if !from.IsZero() {
		c.from = from.Unix()
	}
	if !to.IsZero() {
		c.to = to.Unix()
	}
}

// floor returns n/size, rounded down. Division rounds toward zero.
func floor(n, size int64) int64 {
	quotient := n / size
	if n%size < 0 {
		quotient--
	}
	return quotient
}
