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

// List returns a page of products, newest first, and whether more follow.
func (s *Store) List(ctx context.Context, page product.Page) (items []product.Product, more bool, err error) {
	statement, args := listStatement(page)
	rows, err := s.pool.Query(ctx, statement, args...)
	if err == nil {
		items, err = pgx.CollectRows(rows, scan)
	}
	if err != nil {
		return nil, false, fmt.Errorf("list products: %w", postgres.Classify(err))
	}
	if len(items) > page.Limit {
		return items[:page.Limit], true, nil
	}
	return items, false, nil
}

// listStatement returns the query of a page. Only the conditions that are asked for are in it, so that each
// combination gets a plan of its own. It asks for one row more than the page holds, to see whether more follow.
func listStatement(page product.Page) (string, []any) {
	var conditions []string
	var args []any
	where := func(condition string, values ...any) {
		for _, value := range values {
			args = append(args, value)
			condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(args)), 1)
		}
		conditions = append(conditions, condition)
	}
	where(`project = ?`, page.Filter.Project)
	if page.Filter.SKU != "" {
		where(`sku = ?`, page.Filter.SKU)
	}
	if page.Filter.Status != "" {
		where(`status = ?`, page.Filter.Status)
	}
	if page.Filter.Category != "" {
		where(`category = ?`, page.Filter.Category)
	}
	if page.Filter.Query != "" {
		pattern := "%" + likeEscaper.Replace(page.Filter.Query) + "%"
		where(`(name ILIKE ? OR sku ILIKE ?)`, pattern, pattern)
	}
	if page.After != nil {
		where(`(created_at, id) < (?, ?)`, page.After.CreatedAt, page.After.ID)
	}
	return `SELECT ` + columns + ` FROM catalog.products WHERE ` + strings.Join(conditions, ` AND `) +
		` ORDER BY created_at DESC, id DESC LIMIT ` + strconv.Itoa(page.Limit+1), args
}

// likeEscaper makes a text match itself only.
var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
