package report

import (
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
)

// Interval is the length of a point of a series.
type Interval string

// The intervals. Weeks begin on Monday (ISO 8601).
const (
	Daily   Interval = "day"
	Weekly  Interval = "week"
	Monthly Interval = "month"
)

// Start returns the first day of the interval that contains day.
func (i Interval) Start(day time.Time) time.Time {
	switch i {
	case Weekly:
		sinceMonday := (int(day.Weekday()) + 6) % 7
		return day.AddDate(0, 0, -sinceMonday)
	case Monthly:
		return day.AddDate(0, 0, 1-day.Day())
	case Daily:
	}
	return day
}

// next returns the first day of the following interval. start is the first day of an interval.
func (i Interval) next(start time.Time) time.Time {
	switch i {
	case Weekly:
		return start.AddDate(0, 0, 7)
	case Monthly:
		return start.AddDate(0, 1, 0)
	case Daily:
	}
	return start.AddDate(0, 0, 1)
}

// Series are the counts of a product over time.
type Series struct {
	Product  Product
	Interval Interval
	Points   []Point // one for each interval that the range touches, oldest first
	Totals   Counts
	Meta     Meta
}

// Point is one interval of a series. It counts only days of the range.
type Point struct {
	Start  time.Time
	Counts Counts
}

// ProductDay is one stored day of a product. Users is nil on a day without users.
type ProductDay struct {
	Day    time.Time
	Counts Counts
	Users  *sketch.Sketch
}

// NewSeries groups the days of a product, sorted by day, into intervals.
func NewSeries(product Product, r Range, interval Interval, days []ProductDay, meta Meta) (Series, error) {
	s := Series{Product: product, Interval: interval, Meta: meta}
	allUsers := sketch.New()
	for start := interval.Start(r.From); !start.After(r.To); start = interval.next(start) {
		end := interval.next(start)
		users := sketch.New()
		point := Point{Start: start}
		for len(days) > 0 && days[0].Day.Before(end) {
			if err := point.Counts.Add(days[0].Counts); err != nil {
				return Series{}, err
			}
			if err := users.Merge(days[0].Users); err != nil {
				return Series{}, fmt.Errorf("users of %s: %w", days[0].Day.Format(time.DateOnly), err)
			}
			days = days[1:]
		}
		if err := s.Totals.Add(point.Counts); err != nil {
			return Series{}, err
		}
		point.Counts = point.Counts.WithUsers(users.Estimate())
		s.Points = append(s.Points, point)
		if err := allUsers.Merge(users); err != nil {
			return Series{}, fmt.Errorf("users of all intervals: %w", err)
		}
	}
	s.Totals = s.Totals.WithUsers(allUsers.Estimate())
	return s, nil
}
