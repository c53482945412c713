package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Result is the outcome of a reconciliation for a project.
type Result struct {
	Project        int16
	Days           int
	Rows, Compared int64 // raw rows, and rollup rows that were compared
	Differences    int
}

// kept is how many results of all days of a project are kept, and how many of some days.
const kept = 100

// Record stores the results of a reconciliation that began at begun, and deletes all but the newest of each project. From and
// to are the days that it was asked for; nil means no bound.
func Record(ctx context.Context, pool *pgxpool.Pool, results []*Result, begun time.Time, from, to *time.Time) error {
	const insert = `
		WITH old AS (
			DELETE FROM stats.reconciles AS r
			USING (SELECT id, row_number() OVER (PARTITION BY project, from_day IS NULL AND to_day IS NULL ORDER BY id DESC) AS n FROM stats.reconciles) AS numbered
			WHERE r.id = numbered.id AND numbered.n >= $9
		)
		INSERT INTO stats.reconciles (begun_at, from_day, to_day, project, days, rows, compared, differences)
		SELECT $1, $2, $3, result.*
		FROM unnest($4::smallint[], $5::int[], $6::bigint[], $7::bigint[], $8::int[]) AS result`
	var projects []int16
	var days, differences []int
	var rows, compared []int64
	for _, r := range results {
		projects, days, differences = append(projects, r.Project), append(days, r.Days), append(differences, r.Differences)
		rows, compared = append(rows, r.Rows), append(compared, r.Compared)
	}
	if _, err := pool.Exec(ctx, insert, begun, from, to, projects, days, rows, compared, differences, kept); err != nil {
		return fmt.Errorf("record the results: %w", err)
	}
	return nil
}
