package catalog_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit/audittest"
)

// TestAudit changes products in every way and reads it in the audit log. Then the log takes no rows any more, and nothing changes.
func TestAudit(t *testing.T) {
	t.Parallel()
	const post, patch, del = http.MethodPost, http.MethodPatch, http.MethodDelete
	s := newShop(t)
	c := s.start()
	url := string(s.postgres.URL)
	do := func(status int, method, target, body string) []byte {
		t.Helper()
		w := c.do(method, target, body)
		if w.Code != status {
			t.Fatalf("%s %s %s: status %d, want %d: %s", method, target, body, w.Code, status, w.Body)
		}
		return w.Body.Bytes()
	}
	hat := c.create("HAT").path()
	do(409, post, "/products", `{"sku":"HAT","name":"Hat","price_minor":1900,"currency":"EUR"}`)
	do(200, patch, hat, `{"price_minor":2100}`)
	do(200, patch, hat, `{"price_minor":2100}`) // changes nothing
	do(200, patch, hat, `{"name":"Top hat","prices":{"USD":2500}}`)
	do(200, patch, hat, `{"description":"Tall."}`)
	do(204, del, hat, "")
	do(204, del, hat, "") // changes nothing
	do(200, patch, hat, `{"status":"active"}`)
	bulk := `{"products":[{"sku":"HAT","status":"archived"},{"sku":"CAP","name":"Cap","price_minor":900,"currency":"EUR"},{"sku":"BAD"}]}`
	do(200, post, "/products/bulk", bulk)
	do(200, post, "/products/bulk", bulk) // changes nothing
	do(200, post, "/products/bulk", `{"products":[{"sku":"HAT","status":"active"},{"sku":"CAP","price_minor":800}]}`)
	want := []string{
		`user product.created {"sku": "HAT", "currency": "EUR", "price_minor": 12900}`,
		`user product.price_changed {"sku": "HAT", "changed": ["price_minor"], "currency": ["EUR", "EUR"], "price_minor": [12900, 2100]}`,
		`user product.price_changed {"sku": "HAT", "changed": ["name", "prices"], "currency": ["EUR", "EUR"], "price_minor": [2100, 2100]}`,
		`user product.changed {"sku": "HAT", "changed": ["description"]}`,
		`user product.archived {"sku": "HAT", "changed": ["status"]}`,
		`user product.reactivated {"sku": "HAT", "changed": ["status"]}`,
		`user product.bulk_changed {"created": 1, "archived": 1}`,
		`user product.bulk_changed {"reactivated": 1, "price_changed": 1}`,
	}
	if diff := cmp.Diff(want, audittest.Lines(t, url)); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}

	audittest.Break(t, url)
	before := string(do(200, http.MethodGet, "/products?status=all", ""))
	do(500, post, "/products", `{"sku":"NEW","name":"New","price_minor":1,"currency":"EUR"}`)
	do(500, patch, hat, `{"price_minor":1}`)
	do(500, del, hat, "")
	do(500, post, "/products/bulk", `{"products":[{"sku":"CAP","price_minor":1},{"sku":"NEW","name":"New","price_minor":1,"currency":"EUR"}]}`)
	if diff := cmp.Diff(before, string(do(200, http.MethodGet, "/products?status=all", ""))); diff != "" {
		t.Errorf("changed without a row in the log (-before +after):\n%s", diff)
	}
}
