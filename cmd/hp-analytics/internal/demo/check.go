package demo

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
)

// sampledUsers is the largest number of users whose summaries are compared.
const sampledUsers = 50

// Difference is a number of the platform that is not the demo's own.
type Difference struct {
	What     string // the number, such as views
	Subject  string // the product, day or user that it belongs to
	Platform int64
	Own      int64
}

// String returns the difference as a line of the report.
func (d Difference) String() string {
	return fmt.Sprintf("%s of %s: %s, should be %s", d.What, d.Subject, grouped(d.Platform), grouped(d.Own))
}

// findings are the platform's numbers and how they differ from the demo's own.
type findings struct {
	totals      tally.Counts // of all products of this demo
	rankings    int
	users       int
	signUps     int64
	differences []Difference
}

// compare adds a difference for each measure that is not equal.
func (f *findings) compare(subject string, platform, own tally.Counts, equal func(m tally.Measure, platform, own int64) bool) {
	for _, m := range tally.Measures() {
		if p, o := m.Of(platform), m.Of(own); !equal(m, p, o) {
			f.differences = append(f.differences, Difference{What: string(m), Subject: subject, Platform: p, Own: o})
		}
	}
}

// exactly compares the numbers of users.
func exactly(_ tally.Measure, platform, own int64) bool { return platform == own }

// check reads the platform's numbers and compares each with the demo's own. settled is the result of settle.
func (d *demo) check(ctx context.Context, settled time.Time) (*findings, error) {
	rankings := []tally.Measure{tally.Views, tally.GrossEuro, tally.NetYen}
	users := d.sample()
	d.progress.begin("comparing", len(d.ids)+len(rankings)+len(users)+len(signUpIntervals))
	defer d.progress.end()

	from, to := d.days()
	series, err := gather(ctx, d, len(d.ids), func(ctx context.Context, i int) (client.Series, error) {
		params := &client.ProductTimeseriesParams{From: from, To: to, Interval: client.IntervalDay}
		return complete(ctx, d, settled,
			func(ctx context.Context) (client.Series, error) {
				return d.key.ProductTimeseries(ctx, d.ids[i], params)
			},
			func(s client.Series) client.Meta { return s.Meta })
	})
	if err != nil {
		return nil, err
	}
	tops, err := gather(ctx, d, len(rankings), func(ctx context.Context, i int) (client.TopProducts, error) {
		return complete(ctx, d, settled,
			func(ctx context.Context) (client.TopProducts, error) {
				return d.top(ctx, rankings[i], rankingLength)
			},
			func(t client.TopProducts) client.Meta { return t.Meta })
	})
	if err != nil {
		return nil, err
	}
	summaries, err := gather(ctx, d, len(users), func(ctx context.Context, i int) (client.UserSummary, error) {
		params := &client.UserSummaryParams{From: from, To: to}
		return complete(ctx, d, settled,
			func(ctx context.Context) (client.UserSummary, error) {
				return d.key.UserSummary(ctx, d.shop.UserID(users[i]), params)
			},
			func(s client.UserSummary) client.Meta { return s.Meta })
	})
	if err != nil {
		return nil, err
	}

	signUps, err := gather(ctx, d, len(signUpIntervals), func(ctx context.Context, i int) (client.EventSeries, error) {
		return complete(ctx, d, settled,
			func(ctx context.Context) (client.EventSeries, error) {
				return d.signUps(ctx, signUpIntervals[i])
			},
			func(s client.EventSeries) client.Meta { return s.Meta })
	})
	if err != nil {
		return nil, err
	}
	f := &findings{rankings: len(rankings), users: len(users)}
	if err := d.checkProducts(f, series); err != nil {
		return nil, err
	}
	for _, series := range signUps {
		if err := d.checkSignUps(f, series); err != nil {
			return nil, err
		}
	}
	for i, top := range tops {
		d.checkRanking(f, rankings[i], top)
	}
	for i, summary := range summaries {
		f.compare("user "+d.shop.UserID(users[i]), countsOf(summary.Totals), d.own.Users[users[i]], exactly)
	}
	return f, nil
}

// gather makes n requests, several at a time, and returns the answers in order.
func gather[A any](ctx context.Context, d *demo, n int, request func(ctx context.Context, i int) (A, error)) ([]A, error) {
	answers := make([]A, n)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(senders)
	for i := range n {
		group.Go(func() (err error) {
			answers[i], err = request(ctx, i)
			d.progress.add(1)
			return err
		})
	}
	return answers, group.Wait()
}

// sample returns users at even intervals, or all users when there are few.
func (d *demo) sample() []int {
	users := make([]int, min(d.shop.Users, sampledUsers))
	for i := range users {
		users[i] = i * d.shop.Users / len(users)
	}
	return users
}
