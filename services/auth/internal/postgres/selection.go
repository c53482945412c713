package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// selection is how the things of one kind that members of a project keep are read.
type selection[T any] struct {
	things  string // for errors
	query   string // without the end of its conditions
	scan    pgx.RowToFunc[T]
	unknown error
}

// list returns the rows of the query with its end.
func (s selection[T]) list(ctx context.Context, from interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
}, end string, args ...any,
) ([]T, error) {
	rows, err := from.Query(ctx, s.query+end, args...)
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("read %s: %w", s.things, err))
	}
	list, err := pgx.CollectRows(rows, s.scan)
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("read %s: %w", s.things, err))
	}
	return list, nil
}

// one returns the first row, or the error for an unknown thing.
func (s selection[T]) one(ctx context.Context, tx pgx.Tx, end string, args ...any) (found T, err error) {
	list, err := s.list(ctx, tx, end, args...)
	if err != nil {
		return found, err
	}
	if len(list) == 0 {
		return found, s.unknown
	}
	return list[0], nil
}

// checkRoom returns tooMany if a table of the workspace has most rows of a project or more.
func checkRoom(ctx context.Context, tx pgx.Tx, table string, project int16, most int, tooMany error) error {
	var there int
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM `+pgx.Identifier{"workspace", table}.Sanitize()+` WHERE project = $1`, project).Scan(&there); err != nil {
		return fmt.Errorf("count %s: %w", table, err)
	}
	if there >= most {
		return tooMany
	}
	return nil
}
