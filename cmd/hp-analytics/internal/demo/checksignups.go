package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
)

// signUpIntervals are those in which the sign-ups are compared: the days of the demo, and the hours of one of them.
var signUpIntervals = []client.Interval{client.IntervalDay, client.IntervalHour}

// signUps returns the series of the sign-ups, which concern no product.
func (d *demo) signUps(ctx context.Context, interval client.Interval) (client.EventSeries, error) {
	params := &client.EventTimeseriesParams{Type: d.shop.SignUp(), Interval: interval}
	params.From, params.To = d.days()
	if interval == client.IntervalHour {
		params.From = client.Day(d.shop.Day(d.oddDay()))
		params.To = params.From
	}
	return d.key.EventTimeseries(ctx, params)
}

// oddDay returns the index of a day on which the clocks change, or else of the last day.
func (d *demo) oddDay() int {
	for day := range d.shop.Days {
		if d.shop.DayStart(day+1).Sub(d.shop.DayStart(day)) != 24*time.Hour {
			return day
		}
	}
	return d.shop.Days - 1
}

// checkSignUps compares a series of the sign-ups with the demo's own times.
func (d *demo) checkSignUps(f *findings, series client.EventSeries) error {
	begin, end, length := d.shop.DayStart(0), d.shop.DayStart(d.shop.Days), d.shop.Days
	if series.Interval == client.IntervalHour {
		day := d.oddDay()
		begin, end = d.shop.DayStart(day), d.shop.DayStart(day+1)
		length = int((end.Sub(begin) + time.Hour - 1) / time.Hour)
	}
	if len(series.Points) != length || !series.Points[0].Start.Equal(begin) {
		return fmt.Errorf("the sign-ups by %s have %d points instead of %d from %s on", series.Interval, len(series.Points), length, begin)
	}
	own := make([]int64, length)
	for _, at := range d.own.SignUps {
		if at.Before(begin) || !at.Before(end) {
			continue
		}
		after, exact := slices.BinarySearchFunc(series.Points, at, func(p client.EventPoint, at time.Time) int { return p.Start.Compare(at) })
		if !exact {
			after--
		}
		own[after]++
	}
	compare := func(what, subject string, platform, own int64, equal bool) {
		if !equal {
			f.differences = append(f.differences, Difference{What: what, Subject: subject, Platform: platform, Own: own})
		}
	}
	for i, point := range series.Points {
		subject := fmt.Sprintf("the %s of %s", series.Interval, point.Start.Format(time.RFC3339))
		compare("sign-ups", subject, point.Events, own[i], point.Events == own[i])
		if series.Interval == client.IntervalDay {
			users := d.own.SignUpUsers[i]
			compare("users who signed up", subject, point.UniqueUsers, users, closely(tally.UniqueUsers, point.UniqueUsers, users))
		}
	}
	if series.Interval == client.IntervalDay {
		all := int64(len(d.own.SignUps))
		f.signUps = series.Totals.Events
		compare("sign-ups", "all days", series.Totals.Events, all, series.Totals.Events == all)
		compare("users who signed up", "all days", series.Totals.UniqueUsers, d.own.SignedUp,
			closely(tally.UniqueUsers, series.Totals.UniqueUsers, d.own.SignedUp))
	}
	return nil
}
