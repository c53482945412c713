package erase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/redis"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
)

// forgetDay removes the users from the rollups of their next day. A day that has all raw rows is rebuilt, which makes its sketches
// anew. Sketches of others stay.
func (e *Eraser) forgetDay(ctx context.Context, p *pass) (Progress, error) {
	const next = `SELECT min(day) FROM ingest.erasures AS e, unnest(e.days) AS day WHERE ` + ofPass + ` AND ($3::date IS NULL OR day > $3)`
	var date *time.Time
	if err := e.Pool.QueryRow(ctx, next, p.project, p.epoch, p.reached).Scan(&date); err != nil {
		return Idle, fmt.Errorf("look for the next day: %w", err)
	}
	if date == nil {
		return e.finish(ctx, p)
	}
	if time.Now().Before(e.rebuilds) {
		return Waiting, nil
	}
	rebuilt, err := e.rebuild(ctx, p, localtime.DayOfDate(*date))
	switch {
	case errors.Is(err, rebuild.ErrRunning):
		e.rebuilds = time.Now().Add(afterRebuild)
		return Waiting, nil
	case err != nil:
		return Idle, err
	}
	return Moved, platformpostgres.InTx(ctx, e.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := p.forgetSets(ctx, tx, *date); err != nil {
			return err
		}
		for _, table := range []string{"user_daily_stats", "user_daily_revenue"} {
			remove := `DELETE FROM stats.` + table + ` WHERE project = $1 AND day = $2 AND user_n = ANY($3)`
			if _, err := tx.Exec(ctx, remove, p.project, *date, p.numbers); err != nil {
				return fmt.Errorf("remove the users from %s: %w", table, err)
			}
		}
		if !rebuilt {
			const keep = `UPDATE ingest.erasures AS e SET sketch_days = sketch_days + 1 WHERE ` + ofPass + ` AND $3 = ANY(e.days)`
			if _, err := tx.Exec(ctx, keep, p.project, p.epoch, *date); err != nil {
				return fmt.Errorf("record a day whose sketches stay: %w", err)
			}
		}
		return p.reach(ctx, tx, *date)
	})
}

// rebuild makes the rollups of a day anew. It reports false if the day has not all of its raw rows.
func (e *Eraser) rebuild(ctx context.Context, p *pass, day localtime.Day) (bool, error) {
	ok, err := postgres.HasAllRows(ctx, e.Pool, postgres.ScopeOf(p.in, day, day))
	if err != nil || !ok {
		return false, err
	}
	err = e.Turn.Do(ctx, func() error {
		_, err := rebuild.Run(ctx, e.Pool, rebuild.Options{Project: p.in.Slug, From: day, To: day, Restart: true, Redis: e.Redis})
		return err
	})
	if _, dropped := errors.AsType[*rebuild.NoRawRowsError](err); dropped {
		return false, nil
	}
	return err == nil, err
}

// finish ends a pass if nothing is left in the rollups. A rebuild that began before the raw rows were changed may have put something
// back; then the days are listed again.
func (e *Eraser) finish(ctx context.Context, p *pass) (Progress, error) {
	if e.Redis != nil {
		changed := rollup.Changed{}
		changed.Note(rollup.Key{Project: p.project})
		for _, n := range p.numbers {
			changed.Note(rollup.Key{Project: p.project, User: n})
		}
		if err := (redis.Versions{Client: e.Redis}).Publish(ctx, changed); err != nil {
			e.Logger.WarnContext(ctx, "cached answers about erased users live until they expire", "err", err)
		}
	}
	return Moved, platformpostgres.InTx(ctx, e.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		const left = `
			SELECT EXISTS (SELECT FROM stats.user_daily_stats WHERE project = $1 AND user_n = ANY($2))
				OR EXISTS (SELECT FROM stats.user_daily_revenue WHERE project = $1 AND user_n = ANY($2))`
		var again bool
		if err := tx.QueryRow(ctx, left, p.project, p.numbers).Scan(&again); err != nil {
			return fmt.Errorf("look for what is left: %w", err)
		}
		if again {
			return p.planDays(ctx, tx)
		}
		const done = `
			UPDATE ingest.erasures AS e
			SET state = 'done', phase = 'done', subject = NULL, days = '{}', reached = NULL, last_error = NULL, finished_at = now()
			WHERE ` + ofPass
		if _, err := tx.Exec(ctx, done, p.project, p.epoch); err != nil {
			return fmt.Errorf("record that nothing is left: %w", err)
		}
		return nil
	})
}
