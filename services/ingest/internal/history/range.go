package history

import (
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// Range is a time from one instant up to, but not including, another. A zero From has no bound, and neither has a zero To.
type Range struct{ From, To time.Time }

// NewRange returns the range of two texts, each a day of the project, an instant, or empty for no bound. A day as the end is part of
// the range, an instant is not.
func NewRange(from, to string, zones localtime.History) (Range, error) {
	var r Range
	var err error
	if r.From, err = bound("from", from, zones, 0); err != nil {
		return Range{}, err
	}
	if r.To, err = bound("to", to, zones, 1); err != nil {
		return Range{}, err
	}
	if !r.From.IsZero() && !r.To.IsZero() && !r.From.Before(r.To) {
		return Range{}, invalid("from", "range_reversed", "from must be before to.")
	}
	return r, nil
}

// DayRange returns the range of a day of the project. It ends where that of the next day begins, so days have no row twice.
func DayRange(day string, zones localtime.History) (Range, error) {
	date, err := time.Parse(time.DateOnly, day)
	if err != nil || !sane(date) {
		return Range{}, invalid("day", "invalid_format", "day must be a day, YYYY-MM-DD.")
	}
	d := localtime.DayOfDate(date)
	return Range{From: zones.Start(d).UTC(), To: zones.Start(d + 1).UTC()}, nil
}

// The first and the last year that texts may name. Those beyond have no rows, and not all systems can express them.
const firstYear, lastYear = 1970, 9998

// bound returns the start of a day, days later, or an instant.
func bound(name, text string, zones localtime.History, days localtime.Day) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if date, err := time.Parse(time.DateOnly, text); err == nil && sane(date) {
		return zones.Start(localtime.DayOfDate(date) + days).UTC(), nil
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil && sane(at) {
		return at.UTC().Truncate(time.Microsecond), nil
	}
	return time.Time{}, invalid(name, "invalid_format",
		name+" must be a day of the project, YYYY-MM-DD, or an instant with an offset, such as 2026-03-14T09:00:00Z. In a URL, a + is written %2B.")
}

func sane(t time.Time) bool { return t.Year() >= firstYear && t.Year() <= lastYear }

func invalid(name, code, detail string) error {
	return errs.New(errs.Invalid, code, detail, errs.Field{Pointer: "/query/" + name, Code: code, Detail: detail})
}
