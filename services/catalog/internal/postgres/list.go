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
	var found []listed
	if page.Filter.Query != "" && page.Filter.SKU == "" {
		found, next, err = s.search(ctx, page)
	} else {
		statement, args := listStatement(page)
		found, err = list(ctx, s.pool, statement, args...)
		found, next = cut(found, page.Limit)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list products: %w", postgres.Classify(err))
	}
	for _, one := range found {
		items = append(items, one.Product)
	}
	return items, next, nil
}

// listed is a product in a list, which is sorted by n.
type listed struct {
	product.Product

	n int32
}

// listedColumns are those of a product in a list.
const listedColumns = columns + `, n`

// list returns the products that a statement returns as listedColumns.
func list(ctx context.Context, db querier, statement string, args ...any) ([]listed, error) {
	rows, err := db.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (one listed, err error) {
		one.Product, err = scanWith(row, &one.n)
		return one, err
	})
}

// cut returns the products of a page and the position of the last one if there are more than limit.
func cut(items []listed, limit int) ([]listed, *product.Position) {
	if len(items) <= limit {
		return items, nil
	}
	return items[:limit], &product.Position{N: items[limit-1].n}
}

// listStatement returns the query of a page without a search, or of one SKU. It asks for one row more than the page holds, to see
// whether more follow.
func listStatement(page product.Page) (string, []any) {
	var a arguments
	if page.Filter.SKU == "" {
		return `SELECT ` + listedColumns + ` FROM (` + ordered(&a, page, listedColumns, page.Limit+1) + `) AS newest ORDER BY place`, a
	}
	conditions := append([]string{`project = ` + a.add(page.Filter.Project), `sku = ` + a.add(page.Filter.SKU)}, passing(&a, page)...)
	if page.Filter.Query != "" {
		conditions = append(conditions, fits(&a, page))
	}
	return `SELECT ` + listedColumns + ` FROM catalog.products WHERE ` + strings.Join(conditions, ` AND `), a
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
		conditions = append(conditions, `-n > -`+a.add(page.After.N)+`::integer`)
	}
	return conditions
}

// ordered returns the query of the first products of a page, whether or not a search fits them, in the order of an index, with their places
// in it. The indexes have the status ahead of the order, so products of any status are those of each, merged.
func ordered(a *arguments, page product.Page, columns string, limit int) string {
	count := strconv.Itoa(limit)
	of := func(status product.Status) string {
		page.Filter.Status = status
		conditions := append([]string{`project = ` + a.add(page.Filter.Project)}, passing(a, page)...)
		return `SELECT ` + columns + `, -n AS place FROM catalog.products WHERE ` + strings.Join(conditions, ` AND `) + ` ORDER BY place LIMIT ` + count
	}
	if page.Filter.Status != "" {
		return of(page.Filter.Status)
	}
	return `SELECT * FROM ((` + of(product.Active) + `) UNION ALL (` + of(product.Archived) + `)) AS either ORDER BY place LIMIT ` + count
}
