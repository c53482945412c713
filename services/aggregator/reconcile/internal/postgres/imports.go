package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Prove marks the imports of a project (empty: of all projects) that were finished before a snapshot and whose days are all within
// a range as proven, so that retention may drop these days. A nil day is no bound. A UTC day can be two days of a project, so
// the range has to have both.
func Prove(ctx context.Context, pool *pgxpool.Pool, project string, from, to *time.Time, snapshot time.Time) (int64, error) {
	const query = `
		UPDATE ingest.imports AS i SET proven_at = $4
		FROM auth.projects AS p
		WHERE p.id = i.project AND ($1 = '' OR p.slug = $1)
		  AND i.proven_at IS NULL AND i.finished_at < $4
		  AND ($2::date IS NULL OR i.first_day > $2) AND ($3::date IS NULL OR i.last_day < $3)`
	tag, err := pool.Exec(ctx, query, project, from, to, snapshot)
	if err != nil {
		return 0, fmt.Errorf("mark imports as proven: %w", err)
	}
	return tag.RowsAffected(), nil
}

// Begun returns when the snapshot was taken, by the clock of the database.
func (s Snapshot) Begun(ctx context.Context) (at time.Time, err error) {
	err = s.tx.QueryRow(ctx, `SELECT now()`).Scan(&at)
	return at, err
}
