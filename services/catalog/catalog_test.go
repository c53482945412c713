package catalog_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestLifeOfAProduct goes through every operation once.
func TestLifeOfAProduct(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	admin := shop.start()
	anyone := admin.as("")

	w := admin.do(http.MethodPost, "/products", document("SHOE-42", `"category":"shoes"`, `"attributes":{"size":42}`))
	if w.Code != http.StatusCreated || w.Header().Get("ETag") != `"1"` {
		t.Fatalf("create: status %d, ETag %s: %s", w.Code, w.Header().Get("ETag"), w.Body)
	}
	path := w.Header().Get("Location")
	shoe := want[item](anyone, http.StatusOK, http.MethodGet, path, "")
	created := item{
		SKU: "SHOE-42", Name: "Name of SHOE-42", Category: "shoes", PriceMinor: 12900, Currency: "EUR", Prices: map[string]int64{}, Status: "active",
		Attributes: map[string]any{"size": 42.0}, Version: 1,
	}
	if diff := cmp.Diff(created, shoe, cmpopts.IgnoreFields(item{}, "ID", "CreatedAt", "UpdatedAt")); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	if path != shoe.path() {
		t.Errorf("Location is %s, the product is at %s", path, shoe.path())
	}

	w = anyone.do(http.MethodGet, path, "")
	if w.Header().Get("ETag") != `"1"` || w.Header().Get("Cache-Control") != "private, no-cache" {
		t.Errorf("get: header %v", w.Header())
	}
	w = anyone.do(http.MethodGet, path, "", `If-None-Match: "0", W/"1"`)
	if w.Code != http.StatusNotModified || w.Header().Get("ETag") != `"1"` || w.Body.Len() > 0 {
		t.Errorf("get what is known: status %d, ETag %s, body %q", w.Code, w.Header().Get("ETag"), w.Body)
	}

	w = admin.do(http.MethodPatch, path, `{"name":"New","category":null}`, "Content-Type: application/merge-patch+json", `If-Match: "1"`)
	if w.Code != http.StatusOK || w.Header().Get("ETag") != `"2"` {
		t.Errorf("patch: status %d, ETag %s: %s", w.Code, w.Header().Get("ETag"), w.Body)
	}
	if w = anyone.do(http.MethodGet, path, "", `If-None-Match: "1"`); w.Code != http.StatusOK {
		t.Errorf("get what has changed: status %d", w.Code)
	}

	result := want[bulkResult](admin, http.StatusOK, http.MethodPost, "/products/bulk",
		`{"products":[`+document("SOCK")+`,`+document("SHOE-42", `"attributes":{}`)+`]}`)
	if diff := cmp.Diff(bulkResult{Created: 1, Updated: 1, Errors: []itemError{}}, result); diff != "" {
		t.Errorf("bulk (-want +got):\n%s", diff)
	}
	shoe = want[item](anyone, http.StatusOK, http.MethodGet, path, "")
	if shoe.Version != 3 || shoe.Name != "Name of SHOE-42" || len(shoe.Attributes) != 0 {
		t.Errorf("after the bulk upsert: %+v", shoe)
	}

	for range 2 { // the second time changes nothing
		want[any](admin, http.StatusNoContent, http.MethodDelete, path, "")
	}
	shoe = want[item](anyone, http.StatusOK, http.MethodGet, path, "")
	if shoe.Status != "archived" || shoe.Version != 4 {
		t.Errorf("archived: %+v", shoe)
	}
	if got := want[list](anyone, http.StatusOK, http.MethodGet, "/products", "").skus(); !cmp.Equal(got, []string{"SOCK"}) {
		t.Errorf("the list has %v, want SOCK alone", got)
	}
	shoe = want[item](admin, http.StatusOK, http.MethodPatch, path, `{"status":"active"}`)
	if shoe.Status != "active" || shoe.Version != 5 {
		t.Errorf("brought back: %+v", shoe)
	}

	if missing := shop.checker.Missing("catalog"); len(missing) > 0 {
		t.Errorf("operations that were not exercised: %v", missing)
	}
}

func TestDocumentation(t *testing.T) {
	t.Parallel()
	anyone := newShop(t).start().as("")
	for _, path := range []string{"/openapi.yaml", "/docs", "/health", "/ready", "/metrics"} {
		if w := anyone.do(http.MethodGet, path, ""); w.Code != http.StatusOK {
			t.Errorf("%s: status %d: %s", path, w.Code, w.Body)
		}
	}
}
