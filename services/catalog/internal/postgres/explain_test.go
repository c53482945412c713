package postgres

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// TestListUsesIndexes checks that a page costs the same however large the catalog is.
func TestListUsesIndexes(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	const fill = `
		INSERT INTO catalog.products (project, id, sku, name, category, price_minor, currency, status, created_at)
		SELECT $1, gen_random_uuid(), 'SKU-' || n, 'Name of ' || md5(n::text), 'category ' || n % 50, n, 'EUR',
			CASE WHEN n % 10 = 0 THEN 'archived' ELSE 'active' END, timestamptz '2026-01-01' + n * interval '1 minute'
		FROM generate_series(1, 20000) AS n`
	owner := db.Pool("")
	if _, err := owner.Exec(t.Context(), `INSERT INTO auth.projects (slug, name) VALUES ('second', 'Second')`); err != nil {
		t.Fatal(err)
	}
	for project := range 2 {
		if _, err := owner.Exec(t.Context(), fill, project+1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := owner.Exec(t.Context(), `VACUUM ANALYZE catalog.products`); err != nil {
		t.Fatal(err)
	}
	pool := db.Pool("hp_catalog")

	after := &product.Position{N: 9000}
	for name, test := range map[string]struct {
		page  product.Page
		index string
	}{
		"all":             {product.Page{}, "products_status_idx"},
		"all, later":      {product.Page{After: after}, "products_status_idx"},
		"active":          {product.Page{Filter: product.Filter{Status: product.Active}}, "products_status_idx"},
		"archived":        {product.Page{Filter: product.Filter{Status: product.Archived}}, "products_status_idx"},
		"archived, later": {product.Page{Filter: product.Filter{Status: product.Archived}, After: after}, "products_status_idx"},
		"category":        {product.Page{Filter: product.Filter{Status: product.Active, Category: "category 7"}}, "products_category_idx"},
		"category, later": {product.Page{Filter: product.Filter{Status: product.Active, Category: "category 7"}, After: after}, "products_category_idx"},
		"category of all": {product.Page{Filter: product.Filter{Category: "category 7"}, After: after}, "products_category_idx"},
		"SKU":             {product.Page{Filter: product.Filter{SKU: "SKU-1234"}}, "products_sku_key"},
		"SKU, active":     {product.Page{Filter: product.Filter{SKU: "SKU-1234", Status: product.Active}}, "products_sku_key"},
		"SKU and text":    {product.Page{Filter: product.Filter{SKU: "SKU-1234", Query: "name"}}, "products_sku_key"},
	} {
		t.Run(name, func(t *testing.T) {
			test.page.Limit, test.page.Filter.Project = 20, 1
			plan := explain(t, pool, test.page)
			sorts := strings.Contains(plan, "->  Sort") || strings.HasPrefix(plan, "Sort")
			if !strings.Contains(plan, test.index) || strings.Contains(plan, "Seq Scan") || sorts {
				t.Errorf("want the index %s and no sort; the plan is\n%s", test.index, plan)
			}
		})
	}
}

func explain(t *testing.T, pool *pgxpool.Pool, page product.Page) string {
	t.Helper()
	statement, args := listStatement(page)
	rows, err := pool.Query(t.Context(), "EXPLAIN "+statement, args...)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
