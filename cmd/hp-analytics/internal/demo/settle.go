package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
)

// pollInterval is the time between two questions whether the numbers are complete.
const pollInterval = 200 * time.Millisecond

// errIncomplete says that the platform does not get on with its pending events.
var errIncomplete = errors.New("the numbers did not become complete")

// days is the range over which this demo is compared.
func (d *demo) days() client.Days { return client.Days{From: d.shop.From, To: d.shop.LastDay()} }

// settle waits until everything that was sent is in the numbers, and returns a moment, by the platform's clock, after
// which nothing was sent. Answers that are complete until then are complete for this demo.
//
// On a platform with no other traffic that is when no events are pending any more. With other traffic there may always
// be some, but not this demo's.
func (d *demo) settle(ctx context.Context) (time.Time, error) {
	d.progress.begin("waiting for the numbers", 0)
	defer d.progress.end()
	var settled time.Time
	err := d.until(ctx, func(ctx context.Context) (bool, client.Meta, error) {
		// Each time a question that is not likely to have been asked before, so that no cache has the answer.
		top, err := d.key.Top(ctx, tally.Events, d.days(), 1+rand.IntN(rankingLength-1)) //nolint:gosec // G404: keeps no secret
		meta := top.Meta
		if err != nil {
			return false, meta, err
		}
		// A cached answer may be from before the last event was sent. One that is not was made after it was asked for.
		if settled.IsZero() && !meta.Cached {
			settled = meta.AsOf
		}
		d.progress.pending(meta.PendingEvents)
		return !settled.IsZero() && !meta.CompleteUntil.Before(settled), meta, nil
	})
	return settled, err
}

// answer is one of the platform's answers from its numbers.
type answer interface{ Freshness() client.Meta }

// complete asks until the answer has everything up to settled. Answers may come from caches, which for a short time do
// not know better.
func complete[A answer](ctx context.Context, d *demo, settled time.Time, ask func(ctx context.Context) (A, error)) (got A, err error) {
	err = d.until(ctx, func(ctx context.Context) (bool, client.Meta, error) {
		got, err = ask(ctx)
		if err != nil {
			return false, client.Meta{}, err
		}
		meta := got.Freshness()
		return !meta.CompleteUntil.Before(settled), meta, nil
	})
	return got, err
}

// until repeats try until it is done, as long as patience lasts.
func (d *demo) until(ctx context.Context, try func(ctx context.Context) (done bool, meta client.Meta, err error)) error {
	began := time.Now()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		done, meta, err := try(ctx)
		if err != nil || done {
			return err
		}
		if time.Since(began) > d.patience {
			return fmt.Errorf("%w in %s: %d events are pending, complete until %s",
				errIncomplete, d.patience, meta.PendingEvents, meta.CompleteUntil.Format(time.RFC3339Nano))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
