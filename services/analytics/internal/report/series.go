package report

import (
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
)

// Row is what is stored of one day or hour.
type Row struct {
	At     time.Time // a day as its date, an hour as its start
	Counts Counts
}

// Stored is what is stored of something in a range.
type Stored struct {
	Rows     []Row                        // oldest first; days and hours without numbers are missing
	Sketches map[time.Time]*sketch.Sketch // the users of days, by date
	Exact    map[time.Time]int64          // the numbers of users of days, by date; nil if they are only estimated
}

// Series are counts over time.
type Series struct {
	Interval Interval
	Points   []Point // one for each interval that the range touches, oldest first
	Totals   Counts
}

// Point is one interval of a series. It counts only days of the range.
type Point struct {
	Start    time.Time // with the offset of the zone
	Complete bool      // it ended before the watermark, and the range has all of it
	// ZoneChanged says that it is longer or shorter than others because another time zone of the project began.
	ZoneChanged bool
	Counts      Counts
}

// has reports whether the next row belongs to the bucket.
func (b bucket) has(at time.Time) bool {
	if b.hour.IsZero() {
		return at.Before(b.until)
	}
	return !at.After(b.hour)
}

// NewSeries groups what is stored into the intervals of a range.
func NewSeries(c Calendar, r Range, interval Interval, stored Stored, completeUntil time.Time) (Series, error) {
	s := Series{Interval: interval}
	rows, from := stored.Rows, r.From
	for _, b := range c.buckets(r, interval) {
		point := Point{Start: b.start, Complete: b.whole && !b.end.After(completeUntil), ZoneChanged: b.changed}
		for len(rows) > 0 && b.has(rows[0].At) {
			if err := point.Counts.Add(rows[0].Counts); err != nil {
				return Series{}, err
			}
			rows = rows[1:]
		}
		if err := s.Totals.Add(point.Counts); err != nil {
			return Series{}, err
		}
		if interval != Hourly {
			var err error
			last := minTime(b.until.AddDate(0, 0, -1), r.To)
			if point.Counts, err = stored.withUsers(point.Counts, Range{from, last}); err != nil {
				return Series{}, err
			}
			from = b.until
		}
		s.Points = append(s.Points, point)
	}
	var err error
	s.Totals, err = stored.withUsers(s.Totals, r)
	return s, err
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// withUsers returns counts with the users of a range: exact if it is one day whose users are known, else estimated.
func (s Stored) withUsers(counts Counts, r Range) (Counts, error) {
	if r.Days() == 1 && s.Exact != nil {
		return counts.Exactly(s.Exact[r.From]), nil
	}
	users := sketch.New()
	for day := r.From; !day.After(r.To); day = day.AddDate(0, 0, 1) {
		if err := users.Merge(s.Sketches[day]); err != nil {
			return Counts{}, fmt.Errorf("users of %s: %w", day.Format(time.DateOnly), err)
		}
	}
	return counts.Estimated(users.Estimate()), nil
}

// ProductSeries are the counts of a product over time.
type ProductSeries struct {
	Series

	Product Product
	Meta    Meta
}
