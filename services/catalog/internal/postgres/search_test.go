package postgres_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// catalogOf is how many products the searched catalog has: several times as many as a page may examine.
const catalogOf = 50_000

// most is how many rows one page may read: what it glances at, the candidates of wide and of narrow slices with those of the slice at
// which each ends, its products, and the first and last one of each status. What it glances at is read once more for the position of
// the last one, from an index alone. Merging two statuses reads one row more.
const most = 2*1_001 + (2_000 + 1_001) + (2_000 + 2_048) + 101 + 4

// mostShort is how many rows one page may read of a text without trigrams.
const mostShort = 2*1_001 + 2*10_001

// newLargeCatalog returns a store with products of two projects. Number 1 is the oldest product.
func newLargeCatalog(t testing.TB, products int) (*postgres.Store, *pgxpool.Pool) {
	t.Helper()
	db := dbtest.New(t)
	owner := db.Pool("")
	execute := func(statement string, args ...any) {
		t.Helper()
		if _, err := owner.Exec(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	execute(`INSERT INTO auth.projects (slug, name) VALUES ('second', 'Second')`)
	var index string // it is made at once, which takes less time
	if err := owner.QueryRow(t.Context(), `SELECT pg_get_indexdef('catalog.products_search_idx'::regclass)`).Scan(&index); err != nil {
		t.Fatal(err)
	}
	execute(`DROP INDEX catalog.products_search_idx`)
	const atOnce = 50_000 // so that none takes longer than a statement may
	for first := 1; first <= products; first += atOnce {
		execute(`
			INSERT INTO catalog.products (project, id, sku, name, category, price_minor, currency, status, created_at)
			SELECT CASE WHEN n % 100 = 99 THEN 2 ELSE 1 END, gen_random_uuid(), 'SKU-' || n,
				CASE WHEN n <= $3::int * 3 / 10 THEN 'Winter ' WHEN n % 2 = 0 THEN 'Spring ' ELSE 'Summer ' END || n % 1000 ||
					CASE WHEN n % 700 = 3 THEN ' Läufer' WHEN n % 100 = 7 THEN ' runner' WHEN n = 123 THEN ' yq' ELSE '' END,
				'category ' || n % 50, n, 'EUR', CASE WHEN n % 10 = 0 THEN 'archived' ELSE 'active' END,
				timestamptz '2026-01-01' + n * interval '1 second'
			FROM generate_series($1::int, $2::int) AS n`, first, min(first+atOnce-1, products), products)
	}
	execute(index)
	execute(`VACUUM ANALYZE catalog.products`)
	pool := db.Pool("hp_catalog")
	return postgres.New(pool), pool
}

// rowsRead returns how many rows of products have been read so far.
func rowsRead(t testing.TB, pool *pgxpool.Pool) (rows int) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), `SELECT pg_stat_force_next_flush()`); err != nil {
		t.Fatal(err)
	}
	const read = `SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relid = 'catalog.products'::regclass`
	if err := pool.QueryRow(t.Context(), read).Scan(&rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestSearchOfALargeCatalog reads all pages of searches that many, few and no products fit, and checks what they hold against all
// products, and what each page reads.
func TestSearchOfALargeCatalog(t *testing.T) {
	t.Parallel()
	s, pool := newLargeCatalog(t, catalogOf)
	all := allProducts(t, s)
	for _, filter := range []product.Filter{
		{Query: "s"}, {Query: "SP"}, {Query: "spring"}, {Query: "yq"}, {Query: "qx"}, {Query: "€"}, {Query: "runner"}, {Query: "LÄUFER"},
		{Query: "winter"}, // more than the index may find, and none of the newest
		{Query: "winter", Category: "category 7"},
		{Query: "winter 7 ", Status: product.Archived},
		{Query: "runner", Status: product.Active, Category: "category 7"},
		{Query: "sku-40000"}, {Query: "nothing has this"},
		{Query: "spring", Category: "no such category"},
		{Query: "1, sku"}, {Query: "r 9"}, {Query: "-4"},
		{Query: strings.Repeat("spring ", 14)}, // more trigrams than the index is asked for
	} {
		filter.Project = project
		var want []string
		for _, p := range all {
			fits := strings.Contains(strings.ToLower(p.Name), strings.ToLower(filter.Query)) || strings.Contains(strings.ToLower(p.SKU), strings.ToLower(filter.Query))
			if fits && (filter.Status == "" || p.Status == filter.Status) && (filter.Category == "" || p.Category == filter.Category) {
				want = append(want, p.SKU)
			}
		}
		bound := most
		if len([]rune(filter.Query)) < 3 {
			bound = mostShort
		}
		var got []string
		read := rowsRead(t, pool)
		for page := (product.Page{Filter: filter, Limit: 100}); ; {
			items, next, err := s.List(command(t), page)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range items {
				got = append(got, p.SKU)
			}
			before := read
			if read = rowsRead(t, pool); read-before > bound {
				t.Errorf("%+v: a page reads %d rows, want %d at most", filter, read-before, bound)
			}
			if page.After = next; next == nil {
				break
			}
			if len(got) > 2_000 { // enough
				want = want[:len(got)]
				break
			}
		}
		if !slices.Equal(want, got) {
			t.Errorf("%+v: %d products, want %d (-want +got):\n%s", filter, len(got), len(want), cmp.Diff(want, got))
		}
	}
}

// allProducts returns the products of the first project in their order.
func allProducts(t *testing.T, s *postgres.Store) (all []product.Product) {
	t.Helper()
	for page := (product.Page{Filter: product.Filter{Project: project}, Limit: 10_000}); ; {
		items, next, err := s.List(command(t), page)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, items...)
		if page.After = next; next == nil {
			return all
		}
	}
}

// TestSearchBetweenOtherProjects searches a project whose products have numbers far apart, as they are where many projects create
// products at the same time: in a few slices, and in more than a page asks for.
func TestSearchBetweenOtherProjects(t *testing.T) {
	t.Parallel()
	for _, apart := range []int{1, 200, 2_048, 400_000} {
		db := dbtest.New(t)
		const fill = `
			INSERT INTO catalog.products (project, id, n, sku, name, price_minor, currency) OVERRIDING SYSTEM VALUE
			SELECT 1, gen_random_uuid(), n * $1, 'SKU-' || n, CASE WHEN n % 500 = 7 THEN 'Rare ' ELSE 'Common ' END || n, n, 'EUR' FROM generate_series(1, 2500) AS n`
		if _, err := db.Pool("").Exec(t.Context(), fill, apart); err != nil {
			t.Fatal(err)
		}
		s := postgres.New(db.Pool("hp_catalog"))
		for query, want := range map[string][]string{
			"rare":    {"SKU-2007", "SKU-1507", "SKU-1007", "SKU-507", "SKU-7"},
			"sku-11":  {"SKU-1199", "SKU-1198"},
			"1234":    {"SKU-1234"},
			"nowhere": nil,
		} {
			got := skus(t, s, product.Filter{Query: query}, 2)
			if query == "sku-11" {
				got = got[:min(2, len(got))]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%q, %d apart (-want +got):\n%s", query, apart, diff)
			}
		}
	}
}
