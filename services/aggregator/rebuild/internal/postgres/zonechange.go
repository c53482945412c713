package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/locks"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/stats/zones"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// ErrHistory means that a step was planned with time zones, numbers or raw rows that are not those of the project any more. Nothing was
// changed; the next step is planned anew.
var ErrHistory = errors.New("the time zones, numbers or raw rows of the project changed meanwhile")

// ZoneChange is where the change of a project's time zone stands.
type ZoneChange struct {
	Project postgres.Project // with the history as it is
	To      *time.Location   // the zone that the project shall have
	Begun   bool             // the last era of the history has this zone
	Before  localtime.History
	Days    []StoredDay // with numbers, oldest first
	// Oldest is the oldest hour with numbers; nil for none. Every fact is in it or in a later one.
	Oldest *time.Time
	// Dropped is the last UTC day of which raw events of the project were dropped; nil for none.
	Dropped *time.Time
}

// StoredDay is a day with numbers.
type StoredDay struct {
	Day  localtime.Day
	Rows int64 // events and units; an estimate of its raw rows
}

// Since returns from when on the new zone holds. Before the first step that is the end of time.
func (c ZoneChange) Since() time.Time {
	if !c.Begun {
		return localtime.End
	}
	return c.Project.Zones[len(c.Project.Zones)-1].Since
}

// ZoneChange reads where the change of a project's time zone stands.
func (s *Session) ZoneChange(ctx context.Context, slug string) (c ZoneChange, err error) {
	projects, err := s.Projects(ctx, slug)
	if err != nil {
		return c, err
	}
	if len(projects) != 1 {
		return c, fmt.Errorf("there is no project %q", slug)
	}
	c.Project = projects[0]
	const query = `
		SELECT time_zone,
			least((SELECT min(hour) FROM stats.hourly_stats WHERE project = id), (SELECT min(hour) FROM stats.hourly_revenue WHERE project = id)),
			(SELECT max(day) FROM ingest.dropped_days WHERE project = id)
		FROM auth.projects WHERE id = $1`
	var wanted string
	if err := s.conn.QueryRow(ctx, query, c.Project.ID).Scan(&wanted, &c.Oldest, &c.Dropped); err != nil {
		return c, fmt.Errorf("read the time zone of a project: %w", err)
	}
	if c.To, err = localtime.Load(wanted); err != nil {
		return c, fmt.Errorf("the time zone of the project %s: %w", slug, err)
	}
	c.Before = c.Project.Zones
	if c.Begun = c.Project.Zones.Current().String() == wanted; c.Begun {
		c.Before = c.Before[:len(c.Before)-1]
	}
	const days = `
		SELECT day, sum(rows)::bigint
		FROM (
			SELECT day, events + units AS rows FROM stats.daily_stats WHERE project = $1
			UNION ALL SELECT day, refunded_units FROM stats.daily_revenue WHERE project = $1
		) AS stored
		GROUP BY day ORDER BY day`
	rows, err := s.conn.Query(ctx, days, c.Project.ID)
	if err != nil {
		return c, fmt.Errorf("list the days of a project: %w", err)
	}
	c.Days, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (d StoredDay, err error) {
		var date time.Time
		err = row.Scan(&date, &d.Rows)
		d.Day = localtime.DayOfDate(date)
		return d, err
	})
	if err != nil {
		return c, fmt.Errorf("list the days of a project: %w", err)
	}
	return c, nil
}

// ZoneProgress is what a step records.
type ZoneProgress struct {
	Done, Total int // days
	Kept        int // days that keep a former zone, because raw events of them were dropped
	Finished    bool
}

// Changing is the record of a step that makes another history that of the project.
func (c ZoneChange) Changing(to localtime.History, progress ZoneProgress) Record {
	return Record{
		Before: c.keepFolds,
		After: func(ctx context.Context, tx pgx.Tx, s Swapped) error {
			if err := c.store(ctx, tx, to); err != nil {
				return err
			}
			return c.record(ctx, tx, progress, s.Rows)
		},
	}
}

// keepFolds waits for the folds that go by the history as it is, and keeps later ones out until the end of the transaction. The
// statements after it see what the folds have committed.
func (c ZoneChange) keepFolds(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1, $2)`, locks.Zones.Class(), locks.Zones.ID()); err != nil {
		return fmt.Errorf("wait for folds: %w", err)
	}
	now, err := zones.Of(ctx, tx, c.Project.ID)
	if err != nil {
		return err
	}
	if !now.Equal(c.Project.Zones) {
		return ErrHistory
	}
	return nil
}

// store makes a history that of the project.
func (c ZoneChange) store(ctx context.Context, tx pgx.Tx, to localtime.History) error {
	if _, err := tx.Exec(ctx, `DELETE FROM stats.zones WHERE project = $1`, c.Project.ID); err != nil {
		return fmt.Errorf("replace the time zones: %w", err)
	}
	for i, era := range to {
		const insert = `INSERT INTO stats.zones (project, since, time_zone) VALUES ($1, coalesce($2::timestamptz, '-infinity'), $3)`
		since := &era.Since
		if i == 0 {
			since = nil
		}
		if _, err := tx.Exec(ctx, insert, c.Project.ID, since, era.Zone.String()); err != nil {
			return fmt.Errorf("replace the time zones: %w", err)
		}
	}
	return nil
}

// continued tells whether a row of stats.zone_changes is that of the change which another row is about.
const continued = `c.to_zone = excluded.to_zone AND c.finished_at IS NULL`

// record records how far the change is. One that begins replaces that of an earlier change.
func (c ZoneChange) record(ctx context.Context, tx pgx.Tx, p ZoneProgress, rows int64) error {
	const upsert = `
		INSERT INTO stats.zone_changes AS c (project, from_zone, to_zone, days_done, days_total, days_kept, rows, finished_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $8 THEN now() END)
		ON CONFLICT (project) DO UPDATE SET
			from_zone = CASE WHEN ` + continued + ` THEN c.from_zone ELSE excluded.from_zone END,
			started_at = CASE WHEN ` + continued + ` THEN c.started_at ELSE excluded.started_at END,
			rows = CASE WHEN ` + continued + ` THEN c.rows ELSE 0 END + excluded.rows,
			to_zone = excluded.to_zone, days_done = excluded.days_done, days_total = excluded.days_total, days_kept = excluded.days_kept,
			finished_at = excluded.finished_at, failure = NULL, failed_at = NULL`
	from := c.Project.Zones.Current()
	if c.Begun && len(c.Before) > 0 {
		from = c.Before.Current()
	}
	_, err := tx.Exec(ctx, upsert, c.Project.ID, from.String(), c.To.String(), p.Done, p.Total, p.Kept, rows, p.Finished)
	if err != nil {
		return fmt.Errorf("record the change of the time zone: %w", err)
	}
	return nil
}

// ZoneChangeFailed records why the change of the time zone of a project does not go on.
func ZoneChangeFailed(ctx context.Context, pool *pgxpool.Pool, slug, failure string) error {
	const upsert = `
		INSERT INTO stats.zone_changes AS c (project, from_zone, to_zone, days_done, days_total, failure, failed_at)
		SELECT p.id, (SELECT time_zone FROM stats.zones WHERE project = p.id ORDER BY since DESC LIMIT 1), p.time_zone, 0, 0, $2, now()
		FROM auth.projects AS p WHERE p.slug = $1
		ON CONFLICT (project) DO UPDATE SET
			from_zone = CASE WHEN ` + continued + ` THEN c.from_zone ELSE excluded.from_zone END,
			started_at = CASE WHEN ` + continued + ` THEN c.started_at ELSE excluded.started_at END,
			rows = CASE WHEN ` + continued + ` THEN c.rows ELSE 0 END,
			days_done = CASE WHEN ` + continued + ` THEN c.days_done ELSE 0 END,
			days_total = CASE WHEN ` + continued + ` THEN c.days_total ELSE 0 END,
			days_kept = CASE WHEN ` + continued + ` THEN c.days_kept ELSE 0 END,
			to_zone = excluded.to_zone, finished_at = NULL, failure = excluded.failure, failed_at = excluded.failed_at`
	if _, err := pool.Exec(ctx, upsert, slug, postgres.Bounded(failure)); err != nil {
		return fmt.Errorf("record why a time zone does not change: %w", err)
	}
	return nil
}

// Finish records that the change is finished. With all, nothing is stored of the time before it, and the new zone holds there, too;
// else the former zones keep what they have.
func (c ZoneChange) Finish(ctx context.Context, s *Session, all bool, p ZoneProgress) error {
	p.Finished = true
	err := platformpostgres.InTx(ctx, s.conn, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := boundWaits(ctx, tx); err != nil {
			return err
		}
		if err := c.keepFolds(ctx, tx); err != nil {
			return err
		}
		if all {
			const query = `
				SELECT EXISTS (SELECT FROM stats.hourly_stats WHERE project = $1 AND hour < $2)
				    OR EXISTS (SELECT FROM stats.hourly_revenue WHERE project = $1 AND hour < $2)`
			var stored bool
			if err := tx.QueryRow(ctx, query, c.Project.ID, c.Since()).Scan(&stored); err != nil {
				return fmt.Errorf("look for earlier numbers: %w", err)
			}
			if stored {
				return ErrHistory
			}
			if err := c.store(ctx, tx, localtime.Always(c.To)); err != nil {
				return err
			}
		}
		return c.record(ctx, tx, p, 0)
	})
	return busy(err)
}

// ZoneChangesDue returns the slugs of the projects whose time zone is to change, or is changing.
func ZoneChangesDue(ctx context.Context, db zones.Queryer) ([]string, error) {
	const query = `
		SELECT p.slug
		FROM auth.projects AS p
		LEFT JOIN stats.zone_changes AS c ON c.project = p.id
		WHERE p.time_zone <> (SELECT time_zone FROM stats.zones WHERE project = p.id ORDER BY since DESC LIMIT 1)
		   OR c.project IS NOT NULL AND c.finished_at IS NULL
		ORDER BY p.id`
	rows, err := db.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("list changes of time zones: %w", err)
	}
	slugs, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list changes of time zones: %w", err)
	}
	return slugs, nil
}
