package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// Projects returns the oldest projects that are not archived, at most as many as limit. Of each it reads what its numbers depend on.
func (s *Store) Projects(ctx context.Context, limit int) ([]authn.Project, error) {
	rows, err := s.pool.Query(ctx, `SELECT id, slug, week_start FROM auth.projects WHERE archived_at IS NULL ORDER BY id LIMIT $1`, limit)
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list projects: %w", err))
	}
	projects, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p authn.Project, err error) {
		var weekStart int
		err = row.Scan(&p.ID, &p.Slug, &weekStart)
		p.WeekStart = time.Weekday(weekStart % 7) // Sunday is 7 there, and 0 here
		return p, err
	})
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list projects: %w", err))
	}
	return projects, nil
}
