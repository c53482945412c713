package demo

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
)

// sampledUsers is how many users' summaries are compared at most.
const sampledUsers = 50

// Difference is a number of the platform that is not the demo's own.
type Difference struct {
	What     string // which number
	Subject  string // of what: a product, a day, a user
	Platform int64
	Own      int64
}

// String returns the difference as a line of the report.
func (d Difference) String() string {
	return fmt.Sprintf("%s of %s: %s, should be %s", d.What, d.Subject, grouped(d.Platform), grouped(d.Own))
}

// findings are the platform's numbers and what is wrong with them.
type findings struct {
	totals      tally.Counts // of all products of this demo
	rankings    int
	users       int
	differences []Difference
}

// compare notes all measures in which the platform differs.
func (f *findings) compare(subject string, platform, own tally.Counts, equal func(m tally.Measure, platform, own int64) bool) {
	for _, m := range tally.Measures() {
		if p, o := m.Of(platform), m.Of(own); !equal(m, p, o) {
			f.differences = append(f.differences, Difference{What: string(m), Subject: subject, Platform: p, Own: o})
		}
	}
}

// exactly is how the numbers of users are compared.
func exactly(_ tally.Measure, platform, own int64) bool { return platform == own }

// check reads the platform's numbers and compares each with the demo's own. settled is what settle has returned.
func (d *demo) check(ctx context.Context, settled time.Time) (*findings, error) {
	rankings := []tally.Measure{tally.Views, tally.RevenueMinor}
	users := d.sample()
	d.progress.begin("comparing", len(d.ids)+len(rankings)+len(users))
	defer d.progress.end()

	series, err := gather(ctx, d, len(d.ids), func(ctx context.Context, i int) (client.Series, error) {
		return complete(ctx, d, settled, func(ctx context.Context) (client.Series, error) { return d.key.Series(ctx, d.ids[i], d.days()) })
	})
	if err != nil {
		return nil, err
	}
	tops, err := gather(ctx, d, len(rankings), func(ctx context.Context, i int) (client.Top, error) {
		return complete(ctx, d, settled, func(ctx context.Context) (client.Top, error) {
			return d.key.Top(ctx, rankings[i], d.days(), rankingLength)
		})
	})
	if err != nil {
		return nil, err
	}
	summaries, err := gather(ctx, d, len(users), func(ctx context.Context, i int) (client.Summary, error) {
		return complete(ctx, d, settled, func(ctx context.Context) (client.Summary, error) {
			return d.key.Summary(ctx, d.shop.UserID(users[i]), d.days())
		})
	})
	if err != nil {
		return nil, err
	}

	f := &findings{rankings: len(rankings), users: len(users)}
	if err := d.checkProducts(f, series); err != nil {
		return nil, err
	}
	for i, top := range tops {
		d.checkRanking(f, rankings[i], top)
	}
	for i, summary := range summaries {
		f.compare("user "+d.shop.UserID(users[i]), summary.Totals, d.own.Users[users[i]], exactly)
	}
	return f, nil
}

// gather asks n questions, several at a time, and returns the answers in order.
func gather[A any](ctx context.Context, d *demo, n int, ask func(ctx context.Context, i int) (A, error)) ([]A, error) {
	answers := make([]A, n)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(senders)
	for i := range n {
		group.Go(func() (err error) {
			answers[i], err = ask(ctx, i)
			d.progress.add(1)
			return err
		})
	}
	return answers, group.Wait()
}

// sample returns some users, or all when there are few, evenly spread.
func (d *demo) sample() []int {
	users := make([]int, min(d.shop.Users, sampledUsers))
	for i := range users {
		users[i] = i * d.shop.Users / len(users)
	}
	return users
}
