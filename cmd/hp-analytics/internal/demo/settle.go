package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
)

// pollInterval is the time between two looks at the numbers while they are incomplete.
const pollInterval = 200 * time.Millisecond

// errIncomplete says that the platform does not make progress with its pending events.
var errIncomplete = errors.New("the numbers did not become complete")

// top returns a ranking over the days of this demo.
func (d *demo) top(ctx context.Context, by tally.Measure, limit int) (client.TopProducts, error) {
	metric, currency, _ := strings.Cut(string(by), " ")
	from, to := d.days()
	return d.key.TopProducts(ctx, &client.TopProductsParams{
		Metric: client.Metric(metric), Currency: currency, From: from, To: to, Limit: limit,
	})
}

// days returns the first and the last day of this demo.
func (d *demo) days() (from, to client.From) {
	return client.Day(d.shop.Day(0)), client.Day(d.shop.Day(d.shop.Days - 1))
}

// settle waits until the numbers include everything that was sent. It returns a time, by the platform's clock, after which
// nothing was sent: an answer that is complete until then is complete for this demo.
//
// It does not wait until no events are pending, because other traffic may keep some pending forever.
func (d *demo) settle(ctx context.Context) (time.Time, error) {
	d.progress.begin("waiting for the numbers", 0)
	defer d.progress.end()
	var settled time.Time
	err := d.poll(ctx, func(ctx context.Context) (bool, client.Meta, error) {
		// A random limit makes each request different from the last, so that it is seldom answered from a cache.
		top, err := d.top(ctx, tally.Events, 1+rand.IntN(rankingLength-1)) //nolint:gosec // G404: keeps no secret
		meta := top.Meta
		if err != nil {
			return false, meta, err
		}
		// A cached answer may be older than the last event. Any other answer was computed after it was requested.
		if settled.IsZero() && !meta.Cached {
			settled = meta.AsOf
		}
		d.progress.pending(meta.PendingEvents)
		return !settled.IsZero() && !meta.CompleteUntil.Before(settled), meta, nil
	})
	return settled, err
}

// complete repeats a request until its answer includes everything up to settled. A cache may answer with older numbers for
// a short time.
func complete[A any](
	ctx context.Context, d *demo, settled time.Time, request func(ctx context.Context) (A, error), meta func(A) client.Meta,
) (answer A, err error) {
	err = d.poll(ctx, func(ctx context.Context) (bool, client.Meta, error) {
		answer, err = request(ctx)
		if err != nil {
			return false, client.Meta{}, err
		}
		m := meta(answer)
		return !m.CompleteUntil.Before(settled), m, nil
	})
	return answer, err
}

// poll repeats try until it is done or the retry timeout has passed.
func (d *demo) poll(ctx context.Context, try func(ctx context.Context) (done bool, meta client.Meta, err error)) error {
	began := time.Now()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		done, meta, err := try(ctx)
		if err != nil || done {
			return err
		}
		if time.Since(began) > d.retryTimeout {
			return fmt.Errorf("%w in %s: %d events are pending, complete until %s",
				errIncomplete, d.retryTimeout, meta.PendingEvents, meta.CompleteUntil.Format(time.RFC3339Nano))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
