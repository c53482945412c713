package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// List returns a page of products, newest first, and the position after which the next page begins; nil if nothing follows. What a
// page reads is bounded, however large the catalog is. So a page of a search can have fewer products than its limit, or none, although
// more follow.
func (s *Store) List(ctx context.Context, page product.Page) (items []product.Product, next *product.Position, err error) {
	if page.Filter.Query != "" && page.Filter.SKU == "" {
		items, next, err = s.search(ctx, page)
	} else {
		statement, args := listStatement(page)
		items, err = many(ctx, s.pool, statement, args...)
		items, next = cut(items, page.Limit)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list products: %w", postgres.Classify(err))
	}
	return items, next, nil
}

// cut returns the products of a page and the position of the last one if there are more than limit.
func cut(items []product.Product, limit int) ([]product.Product, *product.Position) {
	if len(items) <= limit {
		return items, nil
	}
	return items[:limit], new(items[limit-1].Position())
}

func many(ctx context.Context, db querier, statement string, args ...any) ([]product.Product, error) {
	rows, err := db.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// listStatement returns the query of a page without a search, or of one SKU. It asks for one row more than the page holds, to see
// whether more follow.
func listStatement(page product.Page) (string, []any) {
	var a arguments
	if page.Filter.SKU == "" {
		return ordered(&a, page, columns, page.Limit+1), a
	}
	conditions := append([]string{`project = ` + a.add(page.Filter.Project), `sku = ` + a.add(page.Filter.SKU)}, passing(&a, page)...)
	if page.Filter.Query != "" {
		conditions = append(conditions, fits(&a, page))
	}
	return `SELECT ` + columns + ` FROM catalog.products WHERE ` + strings.Join(conditions, ` AND `), a
}

// arguments are those of a statement.
type arguments []any

// add returns the placeholder of one more argument.
func (a *arguments) add(value any) string {
	*a = append(*a, value)
	return "$" + strconv.Itoa(len(*a))
}

// passing returns the conditions of a page on a product of its project, except those of its SKU and search. Only what is asked for is
// among them, so that each combination gets a plan of its own.
func passing(a *arguments, page product.Page) (conditions []string) {
	if page.Filter.Status != "" {
		conditions = append(conditions, `status = `+a.add(string(page.Filter.Status)))
	}
	if page.Filter.Category != "" {
		conditions = append(conditions, `category = `+a.add(page.Filter.Category))
	}
	if page.After != nil {
		conditions = append(conditions, `(created_at, id) < (`+a.add(page.After.CreatedAt)+`, `+a.add(page.After.ID)+`)`)
	}
	return conditions
}

// ordered returns the query of the first products of a page, whether or not a search fits them, in the order of an index. The indexes
// have the status ahead of the order, so products of any status are those of each, merged.
func ordered(a *arguments, page product.Page, columns string, limit int) string {
	const newestFirst = ` ORDER BY created_at DESC, id DESC LIMIT `
	count := strconv.Itoa(limit)
	of := func(status product.Status) string {
		page.Filter.Status = status
		conditions := append([]string{`project = ` + a.add(page.Filter.Project)}, passing(a, page)...)
		return `SELECT ` + columns + ` FROM catalog.products WHERE ` + strings.Join(conditions, ` AND `) + newestFirst + count
	}
	if page.Filter.Status != "" {
		return of(page.Filter.Status)
	}
	return `SELECT ` + columns + ` FROM ((` + of(product.Active) + `) UNION ALL (` + of(product.Archived) + `)) AS either` + newestFirst + count
}
