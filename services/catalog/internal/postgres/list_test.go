package postgres_test

import (
	stdcmp "cmp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/services/catalog/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// skus walks through all pages of a list, of the first project by default.
func skus(t *testing.T, s *postgres.Store, filter product.Filter, limit int) []string {
	t.Helper()
	var list []string
	filter.Project = stdcmp.Or(filter.Project, project)
	page := product.Page{Filter: filter, Limit: limit}
	for {
		items, next, err := s.List(command(t), page)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range items {
			list = append(list, p.SKU)
		}
		if next == nil {
			return list
		}
		page.After = next
	}
}

func TestListPages(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	upsert(t, s, bulkOf(content("C"), content("A"), content("B"))) // one transaction: equally new
	create(t, s, content("D"))
	create(t, s, content("E"))
	want := []string{"E", "D", "C", "B", "A"} // ids within a bulk follow its order by SKU
	for limit := 1; limit <= len(want)+1; limit++ {
		if diff := cmp.Diff(want, skus(t, s, product.Filter{}, limit)); diff != "" {
			t.Errorf("in pages of %d (-want +got):\n%s", limit, diff)
		}
	}
}

// TestListWhileProductsArrive checks that products that are created between two pages neither push others onto the next
// page again nor over its edge.
func TestListWhileProductsArrive(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, sku := range []string{"A", "B", "C"} {
		create(t, s, content(sku))
	}
	first, next, err := s.List(command(t), product.Page{Filter: product.Filter{Project: project}, Limit: 2})
	if err != nil || next == nil {
		t.Fatal(first, err)
	}
	create(t, s, content("D"))
	second, next, err := s.List(command(t), product.Page{Filter: product.Filter{Project: project}, Limit: 2, After: next})
	if err != nil || next != nil || len(second) != 1 || second[0].SKU != "A" {
		t.Errorf("the second page is %v, %v, %v; want A alone", second, next, err)
	}
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, p := range []struct{ sku, name, category string }{
		{"SHOE-1", "Trail Runner", "shoes"},
		{"SHOE-2", "Straßenläufer 100%", "shoes"},
		{"SOCK_1", "Wool for the trail", "socks"},
		{"HAT", `Back\slash`, ""},
	} {
		c := content(p.sku)
		c.Name, c.Category = p.name, p.category
		created := create(t, s, c)
		if p.sku == "SHOE-2" {
			_, err := s.Update(command(t), project, created.ID, func(p product.Product) (product.Product, error) {
				p.Status = product.Archived
				return p, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, test := range []struct {
		filter product.Filter
		want   []string
	}{
		{product.Filter{}, []string{"HAT", "SOCK_1", "SHOE-2", "SHOE-1"}},
		{product.Filter{Status: product.Active}, []string{"HAT", "SOCK_1", "SHOE-1"}},
		{product.Filter{Status: product.Archived}, []string{"SHOE-2"}},
		{product.Filter{SKU: "SHOE-2"}, []string{"SHOE-2"}},
		{product.Filter{SKU: "SHOE-2", Status: product.Active}, nil},
		{product.Filter{SKU: "shoe-2"}, nil},
		{product.Filter{SKU: "SHOE-"}, nil},
		{product.Filter{SKU: "SHOE-1", Category: "socks"}, nil},
		{product.Filter{Category: "shoes"}, []string{"SHOE-2", "SHOE-1"}},
		{product.Filter{Category: "shoes", Status: product.Active}, []string{"SHOE-1"}},
		{product.Filter{Category: "shoe"}, nil},
		{product.Filter{Query: "TRAIL"}, []string{"SOCK_1", "SHOE-1"}},
		{product.Filter{Query: "shoe"}, []string{"SHOE-2", "SHOE-1"}},
		{product.Filter{Query: "LÄUFER"}, []string{"SHOE-2"}},
		{product.Filter{Query: "trail", Category: "socks", Status: product.Active}, []string{"SOCK_1"}},
		{product.Filter{Query: "%"}, []string{"SHOE-2"}},
		{product.Filter{Query: "_"}, []string{"SOCK_1"}},
		{product.Filter{Query: `\`}, []string{"HAT"}},
		{product.Filter{Query: `k\s`}, []string{"HAT"}},
		{product.Filter{Query: "' OR true --"}, nil},
	} {
		if diff := cmp.Diff(test.want, skus(t, s, test.filter, 1)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.filter, diff)
		}
	}
}
