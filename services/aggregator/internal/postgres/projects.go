package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/stats/zones"
)

// Project is a project whose rollups are rebuilt.
type Project struct {
	ID   int16
	Slug string
	// Zones tell the days and hours of its rollups.
	Zones localtime.History
}

// Projects returns the project of a slug, or all of them without a slug, in the order of their ids.
func Projects(ctx context.Context, db zones.Queryer, slug string) ([]Project, error) {
	rows, err := db.Query(ctx, `SELECT id, slug FROM auth.projects WHERE $1 IN ('', slug) ORDER BY id`, slug)
	if err != nil {
		return nil, fmt.Errorf("list projects: %w", err)
	}
	projects, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Project, err error) {
		err = row.Scan(&p.ID, &p.Slug)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("list projects: %w", err)
	}
	for i := range projects {
		if projects[i].Zones, err = zones.Of(ctx, db, projects[i].ID); err != nil {
			return nil, err
		}
	}
	return projects, nil
}
