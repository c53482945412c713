package shop

import "time"

// hourly is the relative traffic of each hour of a local day: quiet nights, a peak at noon, the highest after work.
var hourly = [24]float64{3, 2, 1, 1, 1, 2, 4, 6, 8, 9, 10, 10, 11, 10, 9, 9, 10, 11, 13, 15, 16, 14, 10, 6}

// weekly is the relative traffic of each day, from Sunday to Saturday.
var weekly = [7]float64{1.5, 1, 0.95, 0.95, 1, 0.9, 1.3}

// busyness is the relative number of events in the hour that begins at t, by the clocks of its zone.
func busyness(t time.Time) float64 { return hourly[t.Hour()] * weekly[t.Weekday()] }

// busynessBetween returns the sum over the hours of [from, until).
func busynessBetween(from, until time.Time) float64 {
	sum := 0.0
	for hour := from; hour.Before(until); hour = hour.Add(time.Hour) {
		sum += busyness(hour)
	}
	return sum
}
