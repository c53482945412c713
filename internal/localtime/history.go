package localtime

import (
	"iter"
	"slices"
	"strings"
	"time"
)

// Era is a time zone that holds from an instant on.
type Era struct {
	Since time.Time // the zero time for an era that has always begun
	Zone  *time.Location
}

// History says which time zone holds when: each era until the next one begins. The first has always begun. Days and hours are those
// of the zone that holds at each instant. So the day in which an era begins can be shorter or longer than others and can have
// hours of two zones, and between zones that are more than a day apart it can be absent or come twice.
type History []Era

// Always is the history of a zone that never changed.
func Always(zone *time.Location) History { return History{{Zone: zone}} }

// At returns the zone that holds at t.
func (h History) At(t time.Time) *time.Location { return h[h.index(t)].Zone }

func (h History) index(t time.Time) int {
	i := len(h) - 1
	for i > 0 && t.Before(h[i].Since) {
		i--
	}
	return i
}

// Current returns the zone that holds from the last change on.
func (h History) Current() *time.Location { return h[len(h)-1].Zone }

// String returns the zones, each but the first with the instant from which on it holds. Different histories have different texts.
func (h History) String() string {
	var text strings.Builder
	for i, era := range h {
		if i > 0 {
			text.WriteString(", " + era.Since.UTC().Format(time.RFC3339Nano) + " ")
		}
		text.WriteString(era.Zone.String())
	}
	return text.String()
}

// Equal reports whether two histories are the same.
func (h History) Equal(other History) bool {
	return slices.EqualFunc(h, other, func(a, b Era) bool { return a.Since.Equal(b.Since) && a.Zone.String() == b.Zone.String() })
}

// Change returns the history with another zone from an instant on, and what it was before. Eras of the same zone that touch are one.
func (h History) Change(since time.Time, zone *time.Location) History {
	keep := 0
	for keep < len(h) && h[keep].Since.Before(since) {
		keep++
	}
	changed := slices.Clone(h[:keep])
	switch {
	case keep == 0:
		return Always(zone)
	case changed[keep-1].Zone.String() != zone.String():
		changed = append(changed, Era{Since: since, Zone: zone})
	}
	return changed
}

// Between returns the eras that hold in a range of instants. The first one begins with the range.
func (h History) Between(from, to time.Time) History {
	eras := History{{Since: from, Zone: h.At(from)}}
	for _, era := range h {
		if era.Since.After(from) && era.Since.Before(to) {
			eras = append(eras, era)
		}
	}
	return eras
}

// Day returns the day of t.
func (h History) Day(t time.Time) Day { return DayOf(t, h.At(t)) }

// Hour returns the start of the hour of t as the clocks show it, in UTC. It is before the era or the change of the clocks in which
// t lies if that begins within the hour.
func (h History) Hour(t time.Time) time.Time { return HourOf(t, h.At(t)) }

// margin is more than the clocks of any zone differ from UTC.
const margin = 24 * time.Hour

// The times that histories deal with. Walks through the changes of clocks end there.
var (
	Beginning = time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)
	End       = time.Date(9999, 12, 30, 0, 0, 0, 0, time.UTC)
)

// Segment is a time in which the clocks differ from UTC by the same number of seconds. Neighbours can have the same offset.
type Segment struct {
	From, To time.Time
	Offset   int // in seconds east of UTC
	Name     string
}

// Segment returns the segment of t.
func (h History) Segment(t time.Time) Segment {
	i := h.index(t)
	local := t.In(h[i].Zone)
	s := Segment{From: Beginning, To: End}
	s.Name, s.Offset = local.Zone()
	from, to := local.ZoneBounds()
	if from.After(s.From) && !from.After(t) {
		s.From = from
	}
	if !to.IsZero() && !to.After(t) { // on the last day of leap years after 2037 the time package says that
		to = t.Add(time.Hour)
	}
	if h[i].Since.After(s.From) {
		s.From = h[i].Since
	}
	if !to.IsZero() && to.Before(s.To) {
		s.To = to
	}
	if i+1 < len(h) && h[i+1].Since.Before(s.To) {
		s.To = h[i+1].Since
	}
	return s
}

// parts yields the times in which the clocks show a day from first to last, in order.
func (h History) parts(first, last Day) iter.Seq[Segment] {
	return func(yield func(Segment) bool) {
		end := minTime((last + 1).Date().Add(margin), End)
		for at := maxTime(first.Date().Add(-margin), Beginning); at.Before(end); {
			part := h.Segment(at)
			at = part.To
			offset := time.Duration(part.Offset) * time.Second
			part.From = maxTime(part.From, first.Date().Add(-offset))
			part.To = minTime(part.To, (last + 1).Date().Add(-offset))
			if part.From.Before(part.To) && !yield(part) {
				return
			}
		}
	}
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Bounds returns when the first of some days begins and when the last of them is over. ok is false for days that the clocks never
// show. In between, the clocks may also show other days, if a zone put them back at midnight.
func (h History) Bounds(first, last Day) (from, to time.Time, ok bool) {
	for part := range h.parts(first, last) {
		if !ok {
			from, ok = part.From, true
		}
		to = part.To
	}
	return from, to, ok
}

// Start returns the first instant of a day, with the offset of the clocks. A day that the clocks never show starts when the next
// one does.
func (h History) Start(d Day) time.Time {
	for d.Date().Before(End) {
		for part := range h.parts(d, d) {
			return part.From.In(time.FixedZone(part.Name, part.Offset))
		}
		d++
	}
	return End
}

// Over returns the first instant after a day. A day that the clocks never show is over when the next one starts.
func (h History) Over(d Day) time.Time {
	if _, to, ok := h.Bounds(d, d); ok {
		return to
	}
	return h.Start(d + 1)
}

// LocalHour is an hour of the clocks, or a part of one.
type LocalHour struct {
	Hour  time.Time // as Hour returns it
	Start time.Time // the first instant of it, with the offset of the clocks
}

// Hours returns the hours of a range of days in order. There are 23 or 25 in a day when the clocks change by an hour. When they change by
// half an hour, two hours overlap on the clocks, and the second one starts with the change. When they change within an hour so
// that two hours are the same, they are one.
func (h History) Hours(first, last Day) (hours []LocalHour) {
	known := map[int64]bool{}
	for part := range h.parts(first, last) {
		zone := time.FixedZone(part.Name, part.Offset)
		for hour := startOfHour(part.From, part.Offset); hour.Before(part.To); hour = hour.Add(time.Hour) {
			if !known[hour.Unix()] {
				known[hour.Unix()] = true
				hours = append(hours, LocalHour{Hour: hour, Start: maxTime(hour, part.From).In(zone)})
			}
		}
	}
	return hours
}
