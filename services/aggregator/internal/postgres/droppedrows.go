package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// deleteChunk bounds the raw rows that one transaction deletes.
const deleteChunk = 10_000

// projectDay is a UTC day of a project.
type projectDay struct {
	Project int16
	Day     time.Time
}

// deleteDropped deletes the raw rows of days that were dropped for their project while another one holds the partition of their week, and
// then what ingest.event_times has of them. How long rows are kept now does not matter: a deletion that was interrupted goes on.
func (s Store) deleteDropped(ctx context.Context) error {
	return s.deleteDays(ctx, `
		SELECT d.project, d.day
		FROM ingest.partitions AS p JOIN ingest.dropped_days AS d ON d.day BETWEEN p.week AND p.week + 6
		ORDER BY d.day, d.project`)
}

// DeleteDropped does the same for a project and a week that has a partition.
func (s Store) DeleteDropped(ctx context.Context, project int16, week time.Time) error {
	const query = `SELECT project, day FROM ingest.dropped_days WHERE project = $1 AND day BETWEEN $2::date AND $2::date + 6 ORDER BY day`
	return postgres.Classify(s.deleteDays(ctx, query, project, week))
}

// deleteDays deletes the rows of the days of a query.
func (s Store) deleteDays(ctx context.Context, query string, args ...any) error {
	rows, _ := s.Pool.Query(ctx, query, args...) // CollectRows returns its error
	days, err := pgx.CollectRows(rows, pgx.RowToStructByPos[projectDay])
	if err != nil {
		return fmt.Errorf("look for rows of dropped days: %w", err)
	}
	for _, d := range days {
		if err := s.deleteDay(ctx, d); err != nil {
			return fmt.Errorf("delete the rows of project %d of the dropped day %s: %w", d.Project, d.Day.Format(time.DateOnly), err)
		}
	}
	return nil
}

// deleteDay deletes the rows of a day in chunks. Each begins where the one before it ends, so it does not read the deleted entries of
// the index again.
func (s Store) deleteDay(ctx context.Context, d projectDay) error {
	const events = `SELECT ingest.delete_dropped_rows($1, $2, $3, $4)`
	const times = `
		WITH chosen AS MATERIALIZED (
			SELECT ctid, ts FROM ingest.event_times
			WHERE project = $1 AND ts >= greatest($3, $2::date::timestamp AT TIME ZONE 'UTC') AND ts < ($2::date + 1)::timestamp AT TIME ZONE 'UTC'
			ORDER BY ts LIMIT $4
		), gone AS (
			DELETE FROM ingest.event_times WHERE ctid = ANY (ARRAY(SELECT ctid FROM chosen))
		)
		SELECT CASE WHEN count(*) = $4 THEN max(ts) END FROM chosen`
	for _, statement := range []string{events, times} {
		for from := &d.Day; from != nil; {
			if err := s.Pool.QueryRow(ctx, statement, d.Project, d.Day, *from, deleteChunk).Scan(&from); err != nil {
				return err
			}
		}
	}
	return nil
}
