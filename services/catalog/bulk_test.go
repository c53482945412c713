package catalog_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// bulk sends products, and demands what becomes of them.
func (c client) bulk(want bulkResult, body string, headers ...string) {
	c.t.Helper()
	if want.Errors == nil {
		want.Errors = []itemError{}
	}
	if diff := cmp.Diff(want, wantBulk(c, body, headers...)); diff != "" {
		c.t.Errorf("result (-want +got):\n%s", diff)
	}
}

func wantBulk(c client, body string, headers ...string) bulkResult {
	c.t.Helper()
	return want[bulkResult](c, http.StatusOK, http.MethodPost, "/products/bulk", body, headers...)
}

func products(items ...string) string { return `{"products":[` + strings.Join(items, ",") + `]}` }

func TestBulk(t *testing.T) {
	t.Parallel()
	admin := newShop(t).start()
	admin.create("SAME")
	changed := admin.create("CHANGED", `"category":"shoes"`)
	admin.create("EURO", `"prices":{"USD":13900}`)
	items := []string{
		document("NEW"),
		`{"sku":"HALF"}`,
		document("SAME"),
		document("NEW", `"name":"Second"`),
		document("CHANGED", `"price_minor":1`, `"attributes":{"a":[1,null]}`),
		document("EURO", `"currency":"USD"`),
		`{"sku":"YEN","price_minor":1}`,
		document("BAD-4", `"currency":"ZZZ"`),
		`{"sku":"SAME","price_minor":"1"}`,
		document("BAD", `"name":1`),
		document("BAD", `"colour":"red"`),
		document("BAD-1", `"price_minor":-1`),
		document("BAD-2", `"name":"\u0000"`),
		document("BAD-3", `"attributes":{"a":1e99999}`),
		`"BAD"`,
		`null`,
		document("ALSO-NEW"),
		document("BAD", `"name":"Hoodie \ud83d"`),
		document("BAD", "\"name\":\"\xff\""),
		document("BAD", `"attributes":{"a":1,"a":2}`),
		document("BAD", `"attributes":{"a":`+strings.Repeat("[", 70)+strings.Repeat("]", 70)+`}`),
		document("ALSO-NEW-2", `"category":null`),
		`{"name":7,"a/b":1,"price_minor":1,"currency":"EUR"}`,
	}
	admin.bulk(bulkResult{Created: 3, Updated: 1, Unchanged: 1, Errors: []itemError{
		{1, "/name", "required"},
		{1, "/price_minor", "required"},
		{1, "/currency", "required"},
		{3, "/sku", "duplicate_sku"},
		{5, "/prices/USD", "duplicate_currency"},
		{6, "/name", "required"},
		{6, "/currency", "required"},
		{7, "/currency", "unknown_currency"},
		{8, "/price_minor", "wrong_type"},
		{9, "/name", "wrong_type"},
		{10, "/colour", "unknown_field"},
		{11, "/price_minor", "too_small"},
		{12, "/name", "invalid_value"},
		{13, "/attributes", "invalid_value"},
		{14, "", "wrong_type"},
		{15, "", "wrong_type"},
		{17, "", "malformed_json"},
		{18, "", "malformed_json"},
		{19, "/attributes/a", "duplicate_field"},
		{20, "", "malformed_json"},
		{22, "/sku", "required"},
		{22, "/a~1b", "unknown_field"},
		{22, "/name", "wrong_type"},
	}}, products(items...))
	now := get[item](admin, changed.path())
	if now.Version != 2 || now.PriceMinor != 1 || now.Category != "shoes" || !cmp.Equal(now.Attributes, map[string]any{"a": []any{1.0, nil}}) {
		t.Errorf("CHANGED is %+v", now)
	}
	if n := len(get[list](admin, "/products?limit=100").Items); n != 6 {
		t.Errorf("there are %d products, want 6", n)
	}
}

// TestBulkOfChanges sends items with nothing but what changes, and reads what became of each product.
func TestBulkOfChanges(t *testing.T) {
	t.Parallel()
	admin := newShop(t).start()
	shoe := admin.create("SHOE", `"description":"Light."`, `"prices":{"USD":13900}`, `"attributes":{"size":42,"color":"red"}`)
	gone := admin.create("GONE")
	want[any](admin, http.StatusNoContent, http.MethodDelete, gone.path(), "")
	stays := admin.create("STAYS")
	want[any](admin, http.StatusNoContent, http.MethodDelete, stays.path(), "")

	for _, step := range []struct {
		items string
		want  bulkResult
		edit  func(i *item) // of SHOE; nil: it stays as it is
	}{
		{`{"sku":"SHOE","price_minor":9900}`, bulkResult{Updated: 1}, func(i *item) { i.PriceMinor = 9900 }},
		{`{"sku":" SHOE ","price_minor":9900,"currency":"EUR"}`, bulkResult{Unchanged: 1}, nil},
		{`{"sku":"SHOE","currency":"USD"}`, bulkResult{Errors: []itemError{{0, "/price_minor", "price_required"}}}, nil},
		{`{"sku":"SHOE","currency":"JPY","price_minor":21000}`, bulkResult{Updated: 1}, func(i *item) { i.Currency, i.PriceMinor = "JPY", 21000 }},
		{`{"sku":"SHOE","prices":{"CHF":100}}`, bulkResult{Updated: 1}, func(i *item) { i.Prices = map[string]int64{"CHF": 100} }},
		{`{"sku":"SHOE","prices":{}}`, bulkResult{Updated: 1}, func(i *item) { i.Prices = map[string]int64{} }},
		{`{"sku":"SHOE","attributes":{"size":43}}`, bulkResult{Updated: 1}, func(i *item) { i.Attributes = map[string]any{"size": 43.0} }},
		{`{"sku":"SHOE","attributes":{"size":4.3e1}}`, bulkResult{Unchanged: 1}, nil},
		{`{"sku":"SHOE","name":null,"description":"","category":null}`, bulkResult{Updated: 1}, func(i *item) { i.Description = "" }},
		{`{"sku":"SHOE","status":"archived"}`, bulkResult{Updated: 1, Archived: 1}, func(i *item) { i.Status = "archived" }},
		{`{"sku":"SHOE","name":"Old shoe"}`, bulkResult{Updated: 1, Archived: 1}, func(i *item) { i.Name = "Old shoe" }},
		{`{"sku":"SHOE","status":"active","name":"Shoe"}`, bulkResult{Reactivated: 1}, func(i *item) { i.Status, i.Name = "active", "Shoe" }},
		{`{"sku":"SHOE","status":"deleted"}`, bulkResult{Errors: []itemError{{0, "/status", "invalid_enum"}}}, nil},
		{`{"sku":"shoe","price_minor":1}`, bulkResult{Errors: []itemError{{0, "/name", "required"}, {0, "/currency", "required"}}}, nil}, // another SKU
		{
			document("GONE", `"status":"active"`) + "," + document("STAYS") + "," + document("NEW", `"status":"archived"`) + `,{"sku":"SHOE"}`,
			bulkResult{Created: 1, Reactivated: 1, Unchanged: 2, Archived: 2}, nil,
		},
	} {
		admin.bulk(step.want, products(step.items))
		if step.edit != nil {
			step.edit(&shoe)
			shoe.Version++
		}
		if diff := cmp.Diff(shoe, get[item](admin, shoe.path()), cmpopts.IgnoreFields(item{}, "UpdatedAt")); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", step.items, diff)
		}
	}
	if got := get[item](admin, gone.path()); got.Status != "active" {
		t.Errorf("GONE is %s", got.Status)
	}
}

// TestBulkThatFailsHalfway writes one product and gives the other one up. Everybody sees the one that was written.
func TestBulkThatFailsHalfway(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	admin := shop.start()
	shoe := admin.create("SHOE")
	get[item](admin, shoe.path())
	list := func() int { return len(get[struct{ Items []item }](admin, "/products").Items) }
	if n := list(); n != 1 {
		t.Fatalf("%d products at first", n)
	}
	shop.execute(`CREATE FUNCTION catalog.contend() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`)
	shop.execute(`CREATE TRIGGER contend BEFORE INSERT ON catalog.products FOR EACH ROW WHEN (NEW.sku = 'TAKEN') EXECUTE FUNCTION catalog.contend()`)
	body := products(`{"sku":"SHOE","price_minor":1}`, document("NEW"), document("TAKEN"))
	wantProblem(t, admin.do(http.MethodPost, "/products/bulk", body), http.StatusServiceUnavailable, "products_contended")
	if got := get[item](admin, shoe.path()); got.Version != 2 || got.PriceMinor != 1 {
		t.Errorf("SHOE is as before: %+v", got)
	}
	if n := list(); n != 2 {
		t.Errorf("%d products in the list, want 2", n)
	}
}

// TestBulkFormats sends the same products in each form that a body can have.
func TestBulkFormats(t *testing.T) {
	t.Parallel()
	admin := newShop(t).start()
	const ndjson = "Content-Type: application/x-ndjson"
	lines := document("A") + "\n" + document("B") + "\n"
	admin.bulk(bulkResult{Created: 2}, products(document("A"), document("B")))
	for name, sent := range map[string]struct {
		body    string
		headers []string
	}{
		"lines":                {lines, []string{ndjson}},
		"jsonl":                {lines, []string{"Content-Type: application/jsonl"}},
		"no break at the end":  {strings.TrimSpace(lines), []string{ndjson}},
		"mark and CRLF":        {"\ufeff" + strings.ReplaceAll(lines, "\n", "\r\n"), []string{ndjson}},
		"empty lines":          {"\n" + strings.ReplaceAll(lines, "\n", "\n\n"), []string{ndjson}},
		"gzip":                 {gzipped(t, lines), []string{ndjson, "Content-Encoding: gzip"}},
		"zstd":                 {zstandard(t, lines), []string{ndjson, "Content-Encoding: zstd"}},
		"a document":           {products(document("A"), document("B")), []string{"Content-Type: application/json; charset=utf-8"}},
		"a document with gzip": {gzipped(t, "\ufeff"+products(document("A"), document("B"))), []string{"Content-Encoding: gzip"}},
		"a document with zstd": {zstandard(t, products(document("A"), document("B"))), []string{"Content-Encoding: zstd"}},
		"without media type":   {products(document("A"), document("B")), nil},
	} {
		if got := wantBulk(admin, sent.body, sent.headers...); got.Unchanged != 2 || len(got.Errors) > 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}

	bad := strings.Join([]string{document("A", `"price_minor":1`), "", `{"sku":"B",`, `{"sku":"B","name":"Hoodie \ud83d"}`, document("C", `"name":"a\u0000b"`), document("D")}, "\r\n")
	admin.bulk(bulkResult{Created: 1, Updated: 1, Errors: []itemError{{1, "", "malformed_json"}, {2, "", "malformed_json"}, {3, "/name", "invalid_value"}}}, bad, ndjson)

	for name, sent := range map[string]struct {
		body, header string
		status       int
		code         string
		fields       []string
	}{
		"no lines":       {"\r\n", ndjson, 422, "validation_failed", []string{"/products too_short"}},
		"too many lines": {strings.Repeat("{}\n", 1001), ndjson, 422, "validation_failed", []string{"/products too_long"}},
		"CSV":            {"sku,name", "Content-Type: text/csv", 415, "unsupported_media_type", nil},
		"brotli":         {"x", "Content-Encoding: br", 415, "unsupported_encoding", nil},
		"no gzip":        {lines, "Content-Encoding: gzip", 400, "unreadable_body", nil},
		"bomb":           {gzipped(t, strings.Repeat(" ", 16<<20+1)), "Content-Encoding: gzip", 413, "compression_ratio", nil},
		"too large":      {strings.Repeat(" ", 16<<20+1), ndjson, 413, "body_too_large", nil},
	} {
		t.Run(name, func(t *testing.T) {
			wantProblem(t, admin.do(http.MethodPost, "/products/bulk", sent.body, sent.header), sent.status, sent.code, sent.fields...)
		})
	}
}

func gzipped(t *testing.T, content string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func zstandard(t *testing.T, content string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(content), nil))
}

// TestLargestBulk sends as many products with as long descriptions as there may be, of characters that take the most bytes.
func TestLargestBulk(t *testing.T) {
	t.Parallel()
	admin := newShop(t).start()
	items := make([]string, 1000)
	for i := range items {
		items[i] = document(fmt.Sprintf("P-%d", i), fmt.Sprintf(`"description":"%s"`, strings.Repeat("😀", 4000)))
	}
	admin.bulk(bulkResult{Created: 1000}, products(items...))
	admin.bulk(bulkResult{Unchanged: 1000}, products(items...))
	admin.bulk(bulkResult{Updated: 1000}, strings.ReplaceAll(products(items...), "12900", "1"))
}
