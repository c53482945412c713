package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// ProductRef names a product in a request: by its id, or by its SKU if the id is zero.
type ProductRef struct {
	ID  uuid.UUID
	SKU string
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

var errUnknownProduct = errs.New(errs.NotFound, "unknown_product", "There is no such product.")

// readProduct returns the number and the names of a product of a project.
func readProduct(ctx context.Context, from querier, project int16, ref ProductRef) (n int32, p report.Product, err error) {
	query, arg := `SELECT n, id, sku, name FROM catalog.products WHERE project = $1 AND id = $2`, any(ref.ID)
	if ref.ID == uuid.Nil {
		query, arg = `SELECT n, id, sku, name FROM catalog.products WHERE project = $1 AND sku = $2`, ref.SKU
	}
	err = from.QueryRow(ctx, query, project, arg).Scan(&n, &p.ID, &p.SKU, &p.Name)
	if errs.Is(postgres.Classify(err), errs.NotFound) {
		return 0, p, errUnknownProduct.Because(err)
	}
	return n, p, err
}

// readUserNumbers returns the number of a user of a project and those of the anonymous ids that were identified as this user.
func readUserNumbers(ctx context.Context, from querier, project int16, userID string) ([]int64, error) {
	const query = `
		WITH one AS (SELECT n FROM ingest.users WHERE project = $1 AND NOT anonymous AND id = $2)
		SELECT n FROM one
		UNION ALL
		SELECT u.n FROM ingest.users u JOIN one ON u.person = one.n WHERE u.project = $1`
	rows, err := from.Query(ctx, query, project, userID)
	if err != nil {
		return nil, fmt.Errorf("numbers of a user: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// ProductNumber returns the number of a product of a project. An unknown product is a NotFound error.
func (s *Store) ProductNumber(ctx context.Context, project int16, ref ProductRef) (int32, error) {
	n, _, err := readProduct(ctx, s.pool, project, ref)
	return n, postgres.Classify(err)
}

// UserNumbers returns the numbers whose rollups are those of a user of a project; none for an unknown user.
func (s *Store) UserNumbers(ctx context.Context, project int16, userID string) ([]int64, error) {
	numbers, err := readUserNumbers(ctx, s.pool, project, userID)
	return numbers, postgres.Classify(err)
}
