package rebuild

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
	aggregatorpostgres "github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/redis"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild/internal/postgres"
)

// stepRows is how many raw rows a step moves, unless a single day has more. A step of few rows costs about as much as one of none.
const stepRows = 20_000

// stepDays bounds the days of a step, and with them the days that are counted again after an interruption.
const stepDays = 31

// ZoneStep is a step of the change of a project's time zone.
type ZoneStep struct {
	Project      string // its slug
	From, To     string // the zones
	Since        time.Time
	Done, Total  int // days, up to now and in all
	Rows         int64
	Finished     bool
	PlannedAnew  bool          // the project changed since the step was planned: only Project is set, nothing was changed, and the next step is planned anew
	Took, Locked time.Duration // in total, and while folds were kept out
	Unpublished  error         // why the caches could not be invalidated; nil if they were
}

// MoveZone takes the next step of a change of the time zone of a project. The new zone holds from an instant on. The first step moves
// this instant to the start of tomorrow or of one of the stepDays days before, each later one moves it back by a day or some: a step counts
// the days whose rows change again, as a rebuild does, and stores the instant in the transaction that replaces their rollups. So every row
// is counted once at every moment, by the zone that holds at its ts, and an interruption costs one step. The change ends where nothing is
// stored before it, or where raw events were dropped: the days before keep the former zone for ever. Without a change MoveZone does nothing
// and the step is finished.
func MoveZone(ctx context.Context, pool *pgxpool.Pool, slug string, now time.Time, cache *platformredis.Client) (ZoneStep, error) {
	session, err := postgres.Start(ctx, pool, 0)
	if err != nil {
		return ZoneStep{}, platformpostgres.Classify(fmt.Errorf("change a time zone: %w", err))
	}
	defer session.Close(ctx)
	changed := rollup.Changed{}
	step, err := moveZone(ctx, session, slug, now, changed)
	if errors.Is(err, postgres.ErrHistory) {
		return ZoneStep{Project: slug, PlannedAnew: true}, nil
	}
	if err != nil {
		return ZoneStep{}, platformpostgres.Classify(fmt.Errorf("change the time zone of %s: %w", slug, err))
	}
	if cache != nil && len(changed) > 0 {
		step.Unpublished = (redis.Versions{Client: cache}).Publish(ctx, changed)
	}
	return step, nil
}

func moveZone(ctx context.Context, session *postgres.Session, slug string, now time.Time, changed rollup.Changed) (ZoneStep, error) {
	begin := time.Now()
	c, err := session.ZoneChange(ctx, slug)
	if err != nil {
		return ZoneStep{}, err
	}
	step := ZoneStep{Project: slug, From: c.Project.Zones.Current().String(), To: c.To.String(), Since: c.Since()}
	if c.Begun && len(c.Before) > 0 {
		step.From = c.Before.Current().String()
	}
	changed.Note(rollup.Key{Project: c.Project.ID})
	if len(c.Before) == 0 || c.Oldest == nil || !c.Oldest.Before(c.Since()) {
		step.Done = len(c.Days)
		return finish(ctx, session, c, step, true)
	}
	scope, progress, ok, err := plan(ctx, session, c, now)
	if err != nil {
		return ZoneStep{}, err
	}
	step.Done, step.Total = progress.Done, progress.Total
	switch {
	case !ok && !c.Begun:
		return ZoneStep{}, errors.New("raw events of today were dropped, so the days from today on cannot be counted by the new zone")
	case !ok:
		return finish(ctx, session, c, step, false)
	}
	step.Since = scope.Project.Zones[len(scope.Project.Zones)-1].Since
	swapped, ok, err := recount(ctx, session, scope, c.Changing(scope.Project.Zones, progress), changed)
	if err == nil && !ok {
		err = postgres.ErrHistory // raw events of the step were dropped after it was planned, but those of its last days may be there
	}
	step.Rows, step.Locked, step.Took = swapped.Rows, swapped.Locked, time.Since(begin)
	return step, err
}

// finish ends a change.
func finish(ctx context.Context, session *postgres.Session, c postgres.ZoneChange, step ZoneStep, all bool) (ZoneStep, error) {
	step.Total, step.Finished = step.Done, true
	_, err := swap(ctx, func() (postgres.Swapped, error) {
		return postgres.Swapped{}, c.Finish(ctx, session, all, postgres.ZoneProgress{Done: step.Done, Total: step.Total, Kept: len(c.Days) - step.Done})
	})
	if err != nil {
		return ZoneStep{}, err
	}
	return step, nil
}

// plan returns what the next step counts again, with the history that it makes: as many days as a step takes and have all raw rows. ok is
// false when not even one has, because raw events were dropped.
func plan(
	ctx context.Context, session *postgres.Session, c postgres.ZoneChange, now time.Time,
) (scope aggregatorpostgres.Scope, p postgres.ZoneProgress, ok bool, err error) {
	day := localtime.DayOf(now, c.To) + 1
	if c.Begun {
		day = localtime.DayOf(c.Since().Add(-time.Microsecond), c.To)
	}
	for first := further(c, day); first <= day; first++ {
		since := first.Start(c.To)
		scope = aggregatorpostgres.ScopeOfChange(c.Project, c.Before.Change(since, c.To), since, c.Since())
		if ok, err = session.HasAllRows(ctx, scope); err != nil || ok {
			return scope, progressOf(c, first), ok, err
		}
	}
	return scope, progressOf(c, day+1), false, nil
}

// further returns the first day of a step that ends with a day, if all raw rows are there.
func further(c postgres.ZoneChange, last localtime.Day) localtime.Day {
	oldest := localtime.DayOf(*c.Oldest, c.To)
	rows := map[localtime.Day]int64{}
	for _, d := range c.Days {
		rows[d.Day] = d.Rows
	}
	first := last
	for moved := rows[first]; first > oldest && last-first < stepDays; first-- {
		if moved += rows[first-1]; moved > stepRows {
			break
		}
	}
	return first
}

// progressOf returns the progress of a change when the new zone holds from a day on. Days before the last one of which raw events were
// dropped are not part of it.
func progressOf(c postgres.ZoneChange, since localtime.Day) (p postgres.ZoneProgress) {
	for _, d := range c.Days {
		switch {
		case d.Day >= since:
			p.Done++
			p.Total++
		case c.Dropped == nil || d.Day > localtime.DayOfDate(*c.Dropped):
			p.Total++
		default:
			p.Kept++
		}
	}
	return p
}

// ZoneChangeFailed records why the change of the time zone of a project does not go on. The next step that succeeds forgets it.
func ZoneChangeFailed(ctx context.Context, pool *pgxpool.Pool, slug string, failure error) error {
	return platformpostgres.Classify(postgres.ZoneChangeFailed(ctx, pool, slug, failure.Error()))
}

// ZoneChangesDue returns the slugs of the projects for which MoveZone has something to do now.
func ZoneChangesDue(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	slugs, err := postgres.ZoneChangesDue(ctx, pool)
	return slugs, platformpostgres.Classify(err)
}
