package mapping

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The layouts that are no layouts of package time.
const (
	layoutUnix      = "unix"
	layoutUnixMilli = "unix_ms"
)

func (r reader) time() (time.Time, error) {
	text, err := r.need(fieldTS)
	if err != nil {
		return time.Time{}, err
	}
	ts, err := r.parseTime(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("ts %q is no time in the layout %s", text, r.layout)
	}
	return ts.UTC().Truncate(time.Microsecond), nil
}

func (m *Mapping) parseTime(text string) (time.Time, error) {
	switch m.layout {
	case layoutUnix:
		return parseUnix(text)
	case layoutUnixMilli:
		ms, err := strconv.ParseInt(text, 10, 64)
		return time.UnixMilli(ms), err
	}
	if m.layoutHasZone() {
		return time.Parse(m.layout, text)
	}
	clock, err := time.Parse(m.layout, text)
	return instant(clock, m.zone), err
}

// parseUnix reads seconds, perhaps with a fraction of up to nine digits.
func parseUnix(text string) (time.Time, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || fraction == "" {
		return time.Unix(seconds, 0), err
	}
	nanos, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 32)
	return time.Unix(seconds, int64(nanos)), err
}

// instant returns when clocks in zone show what clock shows in UTC. When they show it twice, it is the first time. When they skip
// it, it is as long after the jump as clock is after its beginning, which is what clocks that nobody has set would mean.
func instant(clock time.Time, zone *time.Location) time.Time {
	const around = 26 * time.Hour // further than any offset, so both sides of a change are seen
	_, before := clock.Add(-around).In(zone).Zone()
	_, after := clock.Add(around).In(zone).Zone()
	first, second := clock.Add(-time.Duration(before)*time.Second), clock.Add(-time.Duration(after)*time.Second)
	if _, offset := first.In(zone).Zone(); offset == before {
		if _, offset := second.In(zone).Zone(); offset == after && second.Before(first) {
			return second
		}
		return first
	}
	if _, offset := second.In(zone).Zone(); offset == after {
		return second
	}
	return first
}
