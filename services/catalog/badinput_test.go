package catalog_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// TestBadInput checks that bad requests are refused with a pointer to each problem, and change nothing.
func TestBadInput(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	admin := shop.start()
	admin.create("TAKEN")
	shoe := admin.create("SHOE", `"attributes":{"size":42}`)
	long := func(n int) string { return strings.Repeat("x", n) }
	nested := `{"a":` + strings.Repeat(`{"a":`, 8) + "1" + strings.Repeat("}", 8) + "}"
	heavy := `{"a":"` + long(16<<10) + `"}`
	const post, patch, get, del = http.MethodPost, http.MethodPatch, http.MethodGet, http.MethodDelete

	tests := map[string]struct {
		method, target, body string
		status               int
		code                 string
		fields               []string
	}{
		"no body":              {post, "/products", "", 400, "body_required", nil},
		"no JSON":              {post, "/products", "sku=A", 400, "malformed_json", nil},
		"cut off":              {post, "/products", `{"sku":"A"`, 400, "malformed_json", nil},
		"a list":               {post, "/products", `[]`, 422, "validation_failed", []string{" wrong_type"}},
		"empty object":         {post, "/products", `{}`, 422, "validation_failed", []string{"/sku required", "/name required", "/price_minor required", "/currency required"}},
		"unknown field":        {post, "/products", document("A", `"colour":"red"`), 422, "validation_failed", []string{"/colour unknown_field"}},
		"status is not given":  {post, "/products", document("A", `"status":"archived"`), 422, "validation_failed", []string{"/status unknown_field"}},
		"wrong types":          {post, "/products", document("A", `"name":1`, `"price_minor":"1"`), 422, "validation_failed", []string{"/name wrong_type", "/price_minor wrong_type"}},
		"fraction of a cent":   {post, "/products", document("A", `"price_minor":1.5`), 422, "validation_failed", []string{"/price_minor wrong_type"}},
		"null name":            {post, "/products", document("A", `"name":null`), 422, "validation_failed", []string{"/name wrong_type"}},
		"negative price":       {post, "/products", document("A", `"price_minor":-1`), 422, "validation_failed", []string{"/price_minor too_small"}},
		"absurd price":         {post, "/products", document("A", `"price_minor":1000000000001`), 422, "validation_failed", []string{"/price_minor too_large"}},
		"bad currency":         {post, "/products", document("A", `"currency":"euro"`), 422, "validation_failed", []string{"/currency invalid_format"}},
		"no such currency":     {post, "/products", document("A", `"currency":"ZZZ"`), 422, "validation_failed", []string{"/currency unknown_currency"}},
		"bad prices":           {post, "/products", document("A", `"prices":{"USD":-1,"JPY":1.0,"CHF":"1"}`), 422, "validation_failed", []string{"/prices/CHF wrong_type", "/prices/USD too_small", "/prices/JPY wrong_type"}},
		"prices are a list":    {post, "/products", document("A", `"prices":[1]`), 422, "validation_failed", []string{"/prices wrong_type"}},
		"two prices in euros":  {post, "/products", document("A", `"prices":{"EUR":1}`), 422, "validation_failed", []string{"/prices/EUR duplicate_currency"}},
		"bad sku":              {post, "/products", document(`A\tB`, `"name":"x"`), 422, "validation_failed", []string{"/sku invalid_value"}},
		"sku of bytes":         {post, "/products", document(strings.Repeat("ö", 101)), 422, "validation_failed", []string{"/sku too_long"}},
		"empty sku and name":   {post, "/products", document("", `"name":""`), 422, "validation_failed", []string{"/name too_short", "/sku too_short"}},
		"blank name":           {post, "/products", document("A", `"name":"  "`), 422, "validation_failed", []string{"/name too_short"}},
		"NUL in a name":        {post, "/products", document("A", `"name":"a\u0000"`), 422, "validation_failed", []string{"/name invalid_value"}},
		"newline in a name":    {post, "/products", document("A", `"name":"a\nb"`), 422, "validation_failed", []string{"/name invalid_value"}},
		"long texts":           {post, "/products", document(long(201), `"name":"`+long(201)+`"`, `"category":"`+long(101)+`"`, `"description":"`+long(4001)+`"`), 422, "validation_failed", []string{"/category too_long", "/description too_long", "/name too_long", "/sku too_long"}},
		"attributes are text":  {post, "/products", document("A", `"attributes":"red"`), 422, "validation_failed", []string{"/attributes wrong_type"}},
		"attributes are large": {post, "/products", document("A", `"attributes":`+heavy), 422, "validation_failed", []string{"/attributes too_large"}},
		"attributes are deep":  {post, "/products", document("A", `"attributes":`+nested), 422, "validation_failed", []string{"/attributes invalid_value"}},
		"number that explodes": {post, "/products", document("A", `"attributes":{"a":1e131071}`), 422, "validation_failed", []string{"/attributes invalid_value"}},
		"huge body":            {post, "/products", `{"sku":"` + long(64<<10) + `"}`, 413, "body_too_large", nil},
		"sku of another":       {post, "/products", document("TAKEN"), 409, "sku_taken", nil},

		"empty bulk":        {post, "/products/bulk", `{"products":[]}`, 422, "validation_failed", []string{"/products too_short"}},
		"no products":       {post, "/products/bulk", `{"items":[]}`, 422, "validation_failed", []string{"/items unknown_field", "/products required"}},
		"too many products": {post, "/products/bulk", `{"products":[` + strings.Repeat(`{},`, 1000) + `{}]}`, 422, "validation_failed", []string{"/products too_long"}},
		"huge bulk":         {post, "/products/bulk", `{"products":["` + long(16<<20) + `"]}`, 413, "body_too_large", nil},

		"patch of nothing known":    {patch, "/products/" + uuid.NewString(), `{}`, 404, "product_not_found", nil},
		"patch of no id":            {patch, "/products/SHOE", `{}`, 404, "not_found", nil},
		"patch with another sku":    {patch, shoe.path(), `{"sku":"TAKEN"}`, 409, "sku_taken", nil},
		"patch of the currency":     {patch, shoe.path(), `{"currency":"USD","name":"x"}`, 422, "price_required", []string{"/price_minor price_required"}},
		"patch of what is fixed":    {patch, shoe.path(), `{"id":"x","version":7}`, 422, "validation_failed", []string{"/id unknown_field", "/version unknown_field"}},
		"patch that clears a name":  {patch, shoe.path(), `{"name":null,"sku":null,"price_minor":null,"status":null}`, 422, "validation_failed", []string{"/name wrong_type", "/price_minor wrong_type", "/sku wrong_type", "/status wrong_type"}},
		"patch to an odd status":    {patch, shoe.path(), `{"status":"deleted"}`, 422, "validation_failed", []string{"/status invalid_enum"}},
		"patch with a list":         {patch, shoe.path(), `[{"op":"remove","path":"/name"}]`, 422, "validation_failed", []string{" wrong_type"}},
		"patch to large attributes": {patch, shoe.path(), `{"attributes":` + heavy + `}`, 422, "validation_failed", []string{"/attributes too_large"}},
		"patch with half a body":    {patch, shoe.path(), `{"name":`, 400, "malformed_json", nil},

		"get of nothing known":    {get, "/products/" + uuid.NewString(), "", 404, "product_not_found", nil},
		"get of no id":            {get, "/products/SHOE", "", 404, "not_found", nil},
		"delete of nothing known": {del, "/products/" + uuid.NewString(), "", 404, "product_not_found", nil},

		"limit 0":            {get, "/products?limit=0", "", 422, "validation_failed", []string{"/query/limit too_small"}},
		"limit 101":          {get, "/products?limit=101", "", 422, "validation_failed", []string{"/query/limit too_large"}},
		"limit is a word":    {get, "/products?limit=all", "", 422, "validation_failed", []string{"/query/limit wrong_type"}},
		"odd status":         {get, "/products?status=deleted", "", 422, "validation_failed", []string{"/query/status invalid_enum"}},
		"several at once":    {get, "/products?limit=-1&status=x&q=", "", 422, "validation_failed", []string{"/query/limit too_small", "/query/status invalid_enum", "/query/q too_short"}},
		"long search":        {get, "/products?q=" + long(101), "", 422, "validation_failed", []string{"/query/q too_long"}},
		"NUL in the search":  {get, "/products?q=%00", "", 422, "validation_failed", []string{"/query/q invalid_value"}},
		"bell in the search": {get, "/products?q=%07&category=%1b", "", 422, "validation_failed", []string{"/query/category invalid_value", "/query/q invalid_value"}},
		"blank sku":          {get, "/products?sku=+", "", 422, "validation_failed", []string{"/query/sku too_short"}},
		"long sku":           {get, "/products?sku=" + long(201), "", 422, "validation_failed", []string{"/query/sku too_long"}},
		"offset":             {get, "/products?offset=10&page=2&sort=name", "", 422, "validation_failed", []string{"/query/offset unknown_parameter", "/query/page unknown_parameter", "/query/sort unknown_parameter"}},
		"made-up cursor":     {get, "/products?cursor=abc", "", 422, "invalid_cursor", []string{"/query/cursor invalid_cursor"}},
		"odd cursor":         {get, "/products?cursor=%22", "", 422, "validation_failed", []string{"/query/cursor invalid_format"}},

		"unknown path":   {get, "/products/" + uuid.NewString() + "/price", "", 404, "no_such_path", nil},
		"unknown method": {http.MethodPut, shoe.path(), `{}`, 405, "method_not_allowed", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			wantProblem(t, admin.do(test.method, test.target, test.body), test.status, test.code, test.fields...)
		})
	}

	t.Run("media types", func(t *testing.T) {
		wantProblem(t, admin.do(post, "/products", document("A"), "Content-Type: text/plain"), 415, "unsupported_media_type")
		wantProblem(t, admin.do(post, "/products", document("A"), "Content-Encoding: gzip"), 415, "unsupported_encoding")
		wantProblem(t, admin.do(post, "/products", document("A"), "Content-Type: application/merge-patch+json"), 415, "unsupported_media_type")
	})
	t.Run("repeated precondition", func(t *testing.T) {
		w := admin.do(patch, shoe.path(), `{}`, `If-Match: "1"`, `If-Match: "2"`)
		wantProblem(t, w, 422, "validation_failed", "/header/If-Match invalid_value")
	})
	t.Run("nothing has changed", func(t *testing.T) {
		all := want[list](admin, http.StatusOK, get, "/products?status=all", "")
		if len(all.Items) != 2 || all.Items[0].Version != 1 || all.Items[1].Version != 1 {
			t.Errorf("after bad requests the catalog has %+v", all.Items)
		}
	})
}

// TestAllowHeader checks that a method which a path does not take is answered with those it takes.
func TestAllowHeader(t *testing.T) {
	t.Parallel()
	admin := newShop(t).start()
	for path, allow := range map[string]string{
		"/products":                     "GET, HEAD, POST",
		"/products/" + uuid.NewString(): "GET, HEAD, PATCH, DELETE",
		"/products/bulk":                "GET, HEAD, POST, PATCH, DELETE", // "bulk" may be an id, too
	} {
		w := admin.do(http.MethodPut, path, "")
		if got := strings.Join(w.Header().Values("Allow"), ", "); w.Code != http.StatusMethodNotAllowed || got != allow {
			t.Errorf("PUT %s: status %d, Allow %s; want %s", path, w.Code, got, allow)
		}
	}
}
