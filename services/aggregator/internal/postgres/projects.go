package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
)

// Project is a project whose rollups are rebuilt.
type Project struct {
	ID   int16
	Slug string
	Zone *time.Location // whose days and hours its rollups have
}

// Projects returns the project of a slug, or all of them without a slug, in the order of their ids.
func Projects(ctx context.Context, db interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, slug string) ([]Project, error) {
	rows, err := db.Query(ctx, `SELECT id, slug, time_zone FROM auth.projects WHERE $1 IN ('', slug) ORDER BY id`, slug)
	if err != nil {
		return nil, fmt.Errorf("list projects: %w", err)
	}
	projects, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Project, err error) {
		var zone string
		if err := row.Scan(&p.ID, &p.Slug, &zone); err != nil {
			return Project{}, err
		}
		if p.Zone, err = localtime.Load(zone); err != nil {
			return Project{}, fmt.Errorf("project %s: %w", p.Slug, err)
		}
		return p, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list projects: %w", err)
	}
	return projects, nil
}
