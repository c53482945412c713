package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/stats/userset"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// maxSets bounds the sets of users that one answer reads, of at most 8 KiB each: there is one for each day, lane and 65,536 users.
const maxSets = 4000

// Overview returns the numbers of a project.
func (s *Store) Overview(ctx context.Context, p authn.Project, r report.Range, interval report.Interval) (report.Overview, error) {
	of := source{where: "true", args: pgx.NamedArgs{"project": p.ID}}
	var stored, before report.Stored
	both := report.Range{From: r.Before().From, To: r.To}
	meta, c, err := s.report(ctx, p, both, "the overview of a project", func(tx pgx.Tx, c report.Calendar) (err error) {
		if stored, err = of.stored(ctx, tx, c, r, interval); err != nil {
			return err
		}
		before, err = of.stored(ctx, tx, c, r.Before(), report.Daily)
		return err
	})
	if err != nil {
		return report.Overview{}, err
	}
	return report.NewOverview(c, r, interval, stored, before, meta)
}

// stored returns all that is stored of a range of a project. Its users are exact where an answer shows those of a day.
func (s source) stored(ctx context.Context, tx pgx.Tx, c report.Calendar, r report.Range, interval report.Interval) (all report.Stored, err error) {
	if all.Rows, err = s.rows(ctx, tx, c, r, interval); err != nil {
		return all, err
	}
	if all.Sketches, err = s.sketches(ctx, tx, r); err != nil {
		return all, err
	}
	if interval == report.Daily || r.Days() == 1 {
		all.Exact, err = readExactUsers(ctx, tx, s.args["project"], r)
	}
	return all, err
}

// readExactUsers returns the numbers of users of the days of a range, or nil if that takes more than maxSets sets.
func readExactUsers(ctx context.Context, tx pgx.Tx, project any, r report.Range) (map[time.Time]int64, error) {
	const query = `
		SELECT day, chunk, users
		FROM stats.daily_user_sets
		WHERE project = $1 AND day BETWEEN $2 AND $3
		ORDER BY day, chunk
		LIMIT $4`
	rows, err := tx.Query(ctx, query, project, r.From, r.To, maxSets+1)
	if err != nil {
		return nil, fmt.Errorf("sets of users: %w", err)
	}
	var users userset.Counter[time.Time]
	var day time.Time
	var chunk int32
	var stored []byte
	read := 0
	_, err = pgx.ForEachRow(rows, []any{&day, &chunk, &stored}, func() error {
		read++
		return users.Add(day, chunk, stored)
	})
	if err != nil {
		return nil, fmt.Errorf("sets of users: %w", err)
	}
	if read > maxSets {
		return nil, nil
	}
	return users.Users(), nil
}
