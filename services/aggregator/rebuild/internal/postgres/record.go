package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// Progress is the record of a rebuild in stats.rebuilds, from which an interrupted rebuild is resumed.
type Progress struct {
	ID   int64
	Done []localtime.Day // days that are done, in order
}

// Begin returns the record of the unfinished rebuild of the same days of a project that was started within the time resumable, or a new
// one. With restart, unfinished rebuilds of the same days are deleted first.
func (s *Session) Begin(ctx context.Context, project postgres.Project, from, to localtime.Day, resumable time.Duration, restart bool) (r Progress, err error) {
	if restart {
		const forget = `DELETE FROM stats.rebuilds WHERE project = $1 AND from_day = $2 AND to_day = $3 AND finished_at IS NULL`
		if _, err := s.conn.Exec(ctx, forget, project.ID, from.Date(), to.Date()); err != nil {
			return Progress{}, fmt.Errorf("delete the interrupted rebuild: %w", err)
		}
	}
	const begin = `
		WITH interrupted AS (
			SELECT id FROM stats.rebuilds
			WHERE project = $1 AND from_day = $2 AND to_day = $3 AND finished_at IS NULL AND started_at > now() - $4::interval
			ORDER BY id DESC
			LIMIT 1
		), begun AS (
			INSERT INTO stats.rebuilds (project, from_day, to_day) SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM interrupted) RETURNING id
		)
		SELECT id FROM interrupted UNION ALL SELECT id FROM begun`
	if err := s.conn.QueryRow(ctx, begin, project.ID, from.Date(), to.Date(), resumable).Scan(&r.ID); err != nil {
		return Progress{}, fmt.Errorf("record the rebuild: %w", err)
	}
	rows, err := s.conn.Query(ctx, `SELECT day FROM stats.rebuild_days WHERE rebuild_id = $1 ORDER BY day`, r.ID)
	if err != nil {
		return Progress{}, fmt.Errorf("list the days that are done: %w", err)
	}
	var date time.Time
	_, err = pgx.ForEachRow(rows, []any{&date}, func() error {
		r.Done = append(r.Done, localtime.DayOfDate(date))
		return nil
	})
	if err != nil {
		return Progress{}, fmt.Errorf("list the days that are done: %w", err)
	}
	return r, nil
}

// DayOf records, in the transaction that replaces the rollups of a day, that the day is done.
func DayOf(rebuild int64, day localtime.Day) Record {
	return Record{After: func(ctx context.Context, tx pgx.Tx, s Swapped) error {
		const insert = `INSERT INTO stats.rebuild_days (rebuild_id, day, rows, removed, added) VALUES ($1, $2, $3, $4, $5)`
		if _, err := tx.Exec(ctx, insert, rebuild, day.Date(), s.Rows, s.Removed, s.Added); err != nil {
			return fmt.Errorf("record that the day is done: %w", err)
		}
		return nil
	}}
}

// Finish records that all days are done.
func (s *Session) Finish(ctx context.Context, rebuild int64) error {
	if _, err := s.conn.Exec(ctx, `UPDATE stats.rebuilds SET finished_at = now() WHERE id = $1`, rebuild); err != nil {
		return fmt.Errorf("record that the rebuild is done: %w", err)
	}
	return nil
}
