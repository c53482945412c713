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
	changed := rollup.Changed{}
	swapped, ok, err := recount(ctx, r.session, aggregatorpostgres.ScopeOf(r.project, d, d), postgres.DayOf(r.id, d), changed)
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

// recount counts a scope, replaces its rollups and records that. ok is false, and nothing changes, when raw events of it were dropped.
func recount(
	ctx context.Context, session *postgres.Session, scope aggregatorpostgres.Scope, record postgres.Record, changed rollup.Changed,
) (swapped postgres.Swapped, ok bool, err error) {
	ok, err = session.Read(ctx, scope, func(snapshot *aggregatorpostgres.Snapshot) error {
		rows, err := session.Count(ctx, snapshot)
		if err != nil {
			return err
		}
		swapped, err = swap(ctx, func() (postgres.Swapped, error) { return session.Swap(ctx, snapshot, scope, rows, record, changed) })
		return err
	})
	return swapped, ok, err
}

// swap tries to replace rollups until no fold is in the way.
func swap(ctx context.Context, try func() (postgres.Swapped, error)) (postgres.Swapped, error) {
	for attempt := 1; ; attempt++ {
		swapped, err := try()
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
