package rebuild

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	aggregatorpostgres "github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/redis"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild/internal/postgres"
)

const (
	// swapPause lets folds catch up between two attempts to swap, swapAttempts bounds the attempts.
	swapPause    = 500 * time.Millisecond
	swapAttempts = 240
)

// day rebuilds one day.
func (r *rebuild) day(ctx context.Context, d localtime.Day) (Day, error) {
	begin := time.Now()
	var swapped postgres.Swapped
	changed := rollup.Changed{}
	ok, err := r.session.Read(ctx, r.project, d, func(snapshot *aggregatorpostgres.Snapshot) error {
		rows, err := r.session.Count(ctx, snapshot)
		if err != nil {
			return err
		}
		swapped, err = r.swap(ctx, snapshot, d, rows, changed)
		return err
	})
	if err != nil {
		return Day{}, err
	}
	if !ok { // its raw events expired after the check of the whole range
		return Day{}, &NoRawRowsError{Project: r.project.Slug, Days: []localtime.Day{d}}
	}
	done := Day{
		Project: r.project.Slug, Day: d, Rows: swapped.Rows, Late: swapped.Late, Before: swapped.Before, After: swapped.After,
		Removed: swapped.Removed, Added: swapped.Added, Locked: swapped.Locked, Took: time.Since(begin),
	}
	if r.options.Redis != nil {
		done.Unpublished = (redis.Versions{Client: r.options.Redis}).Publish(ctx, changed)
	}
	return done, nil
}

// swap tries to replace the rollups of a day until no fold is in the way.
func (r *rebuild) swap(ctx context.Context, snapshot *aggregatorpostgres.Snapshot, d localtime.Day, rows int64, changed rollup.Changed) (postgres.Swapped, error) {
	for attempt := 1; ; attempt++ {
		swapped, err := r.session.Swap(ctx, snapshot, r.id, postgres.Day{Project: r.project, Day: d}, rows, changed)
		if !errors.Is(err, postgres.ErrBusy) || attempt == swapAttempts {
			return swapped, err
		}
		select {
		case <-ctx.Done():
			return postgres.Swapped{}, fmt.Errorf("wait for folds: %w", ctx.Err())
		case <-time.After(swapPause):
		}
	}
}
