// Package zones reads which time zone holds when in a project, from the table stats.zones.
package zones

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
)

// Queryer is a connection, a transaction or a pool.
type Queryer interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// ErrUnknown means that a stored time zone is none.
var ErrUnknown = errors.New("the time zones of a project cannot be used")

// Read returns the histories of those of some projects that exist.
func Read(ctx context.Context, db Queryer, projects ...int16) (map[int16]localtime.History, error) {
	const query = `
		SELECT project, nullif(since, '-infinity'), time_zone
		FROM stats.zones
		WHERE project = ANY($1)
		ORDER BY project, since`
	rows, err := db.Query(ctx, query, projects)
	if err != nil {
		return nil, fmt.Errorf("read the time zones of projects: %w", err)
	}
	histories := map[int16]localtime.History{}
	var project int16
	var since *time.Time
	var name string
	_, err = pgx.ForEachRow(rows, []any{&project, &since, &name}, func() error {
		zone, err := localtime.Load(name)
		if err != nil {
			return fmt.Errorf("%w: project %d: %w", ErrUnknown, project, err)
		}
		era := localtime.Era{Zone: zone}
		if since != nil {
			era.Since = *since
		}
		histories[project] = append(histories[project], era)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the time zones of projects: %w", err)
	}
	return histories, nil
}

// Of returns the history of a project.
func Of(ctx context.Context, db Queryer, project int16) (localtime.History, error) {
	histories, err := Read(ctx, db, project)
	if err != nil {
		return nil, err
	}
	if len(histories[project]) == 0 {
		return nil, fmt.Errorf("%w: project %d has none", ErrUnknown, project)
	}
	return histories[project], nil
}
