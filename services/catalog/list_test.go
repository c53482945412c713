package catalog_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestListPages(t *testing.T) {
	t.Parallel()
	admin := newShop(t).start()
	var newestFirst []string
	for i := range 23 {
		sku := fmt.Sprintf("P-%d", i)
		admin.create(sku)
		newestFirst = append([]string{sku}, newestFirst...)
	}
	for limit, pages := range map[string]int{"": 2, "limit=1": 23, "limit=5": 5, "limit=23": 1, "limit=100": 1} {
		var got []string
		target, n := "/products?"+limit, 0
		for next := ""; ; n++ {
			page := get[list](admin, target+next)
			got = append(got, page.skus()...)
			if page.NextCursor == nil {
				break
			}
			next = "&cursor=" + *page.NextCursor
		}
		if diff := cmp.Diff(newestFirst, got); diff != "" || n+1 != pages {
			t.Errorf("%q: %d pages, want %d; products (-want +got):\n%s", limit, n+1, pages, diff)
		}
	}
}

func TestListOfNothing(t *testing.T) {
	t.Parallel()
	page := get[list](newShop(t).start(), "/products")
	if page.Items == nil || len(page.Items) > 0 || page.NextCursor != nil {
		t.Errorf("an empty catalog is listed as %+v", page)
	}
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	admin := newShop(t).start()
	admin.create("SHOE-1", `"name":"Trail runner"`, `"category":"shoes"`)
	admin.create("SOCK-1", `"name":"Wool for the trail"`, `"category":"socks & more"`)
	gone := admin.create("SHOE-2", `"name":"Sandal"`, `"category":"shoes"`)
	want[any](admin, http.StatusNoContent, http.MethodDelete, gone.path(), "")
	for query, expected := range map[string][]string{
		"":                                    {"SOCK-1", "SHOE-1"},
		"status=active":                       {"SOCK-1", "SHOE-1"},
		"status=archived":                     {"SHOE-2"},
		"status=all":                          {"SHOE-2", "SOCK-1", "SHOE-1"},
		"status=all&category=shoes":           {"SHOE-2", "SHOE-1"},
		"category=socks+%26+more":             {"SOCK-1"},
		"category=Shoes":                      nil,
		"q=TRAIL":                             {"SOCK-1", "SHOE-1"},
		"q=sho&status=all":                    {"SHOE-2", "SHOE-1"},
		"q=trail&category=shoes":              {"SHOE-1"},
		"q=%25":                               nil,
		"q=" + url.QueryEscape("' OR 1=1 --"): nil,
		"limit=1&status=all&category=shoes&q=sho": {"SHOE-2"},
	} {
		if diff := cmp.Diff(expected, get[list](admin, "/products?"+query).skus()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

// TestListBySKU checks that any SKU leads to its product, however it is written, and that an archived one is found.
func TestListBySKU(t *testing.T) {
	t.Parallel()
	admin := newShop(t).start()
	for _, sku := range []string{"BANK CHARGES", "A#12", `9/16\" nut`, "größe-42", "商品-1", "85123a", "85123A"} {
		admin.create(sku)
	}
	gone := admin.create("GONE")
	want[any](admin, http.StatusNoContent, http.MethodDelete, gone.path(), "")
	for query, sku := range map[string]string{
		"BANK+CHARGES": "BANK CHARGES", "BANK%20CHARGES%09": "BANK CHARGES", "A%2312": "A#12", "9%2F16%22+nut": `9/16" nut`,
		"gro%CC%88%C3%9Fe-42": "größe-42", url.QueryEscape("商品-1"): "商品-1", "85123a": "85123a", "85123A": "85123A",
		"GONE": "GONE",
	} {
		if diff := cmp.Diff([]string{sku}, get[list](admin, "/products?sku="+query).skus()); diff != "" {
			t.Errorf("sku=%s (-want +got):\n%s", query, diff)
		}
	}
	for _, query := range []string{"sku=BANK", "sku=GONE&status=active", "sku=a%2312"} {
		if got := get[list](admin, "/products?"+query); len(got.Items) > 0 {
			t.Errorf("%s finds %v", query, got.skus())
		}
	}
	w := admin.do(http.MethodPost, "/products", document("gro\u0308ße-42 "))
	wantProblem(t, w, http.StatusConflict, "sku_taken")
}

// TestCursorBelongsToItsFilters checks that pages of two lists are never mixed.
func TestCursorBelongsToItsFilters(t *testing.T) {
	t.Parallel()
	admin := newShop(t).start()
	for i := range 3 {
		admin.create(fmt.Sprintf("P-%d", i), `"category":"shoes"`)
	}
	cursor := *get[list](admin, "/products?limit=1&category=shoes").NextCursor
	for _, query := range []string{"", "category=socks", "category=shoes&status=all", "category=shoes&q=P"} {
		w := admin.do(http.MethodGet, "/products?cursor="+cursor+"&"+query, "")
		wantProblem(t, w, http.StatusUnprocessableEntity, "cursor_mismatch", "/query/cursor cursor_mismatch")
	}
	page := get[list](admin, "/products?limit=2&category=shoes&status=active&cursor="+cursor) // active is the default
	if diff := cmp.Diff([]string{"P-1", "P-0"}, page.skus()); diff != "" {
		t.Errorf("the next page (-want +got):\n%s", diff)
	}
}
