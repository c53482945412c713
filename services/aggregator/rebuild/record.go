package rebuild

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// resumable is how long an interrupted rebuild is gone on with. Days that it has done longer ago may be wrong again, which
// may be why somebody asks.
const resumable = 24 * time.Hour

// begin finds the interrupted rebuild of the same days, or notes a new one, and returns the days that are done.
func (r *rebuild) begin(ctx context.Context) ([]time.Time, error) {
	from, to := r.options.From, r.options.To
	if r.options.Restart {
		const forget = `DELETE FROM stats.rebuilds WHERE from_day = $1 AND to_day = $2 AND finished_at IS NULL`
		if _, err := r.writer.Exec(ctx, forget, from, to); err != nil {
			return nil, fmt.Errorf("forget the interrupted rebuild: %w", err)
		}
	}
	const begin = `
		WITH interrupted AS (
			SELECT id FROM stats.rebuilds
			WHERE from_day = $1 AND to_day = $2 AND finished_at IS NULL AND started_at > now() - $3::interval
			ORDER BY id DESC
			LIMIT 1
		), begun AS (
			INSERT INTO stats.rebuilds (from_day, to_day) SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM interrupted) RETURNING id
		)
		SELECT id FROM interrupted UNION ALL SELECT id FROM begun`
	if err := r.writer.QueryRow(ctx, begin, from, to, resumable).Scan(&r.id); err != nil {
		return nil, fmt.Errorf("note the rebuild: %w", err)
	}
	rows, err := r.writer.Query(ctx, `SELECT day FROM stats.rebuild_days WHERE rebuild_id = $1 ORDER BY day`, r.id)
	if err != nil {
		return nil, fmt.Errorf("list days that are done: %w", err)
	}
	done, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
	if err != nil {
		return nil, fmt.Errorf("list days that are done: %w", err)
	}
	return done, nil
}

// noteDay notes, in the transaction that replaces the rollups of a day, that it is done.
func (r *rebuild) noteDay(ctx context.Context, tx pgx.Tx, d Day) error {
	const insert = `INSERT INTO stats.rebuild_days (rebuild_id, day, rows, removed, added) VALUES ($1, $2, $3, $4, $5)`
	if _, err := tx.Exec(ctx, insert, r.id, d.Day, d.Rows, d.Removed, d.Added); err != nil {
		return fmt.Errorf("note that the day is done: %w", err)
	}
	return nil
}

// finish notes that all days are done.
func (r *rebuild) finish(ctx context.Context) error {
	if _, err := r.writer.Exec(ctx, `UPDATE stats.rebuilds SET finished_at = now() WHERE id = $1`, r.id); err != nil {
		return fmt.Errorf("note that the rebuild is done: %w", err)
	}
	return nil
}
