package validate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/openapi/validate"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

const id = "0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10"

// behind returns a router in which every operation of the contract is validated before next.
func behind(tb testing.TB, next http.HandlerFunc) http.Handler {
	tb.Helper()
	c, err := contract.Load()
	if err != nil {
		tb.Fatal(err)
	}
	router := chi.NewRouter()
	for _, o := range c.Operations() {
		validator := validate.New(o)
		router.MethodFunc(o.Method, o.Path, func(w http.ResponseWriter, r *http.Request) {
			if _, err := validator.Check(w, r); err != nil {
				problem.Write(w, r, err)
				return
			}
			next(w, r)
		})
	}
	return router
}

func accept(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }

func send(h http.Handler, method, target, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func document(t *testing.T, w *httptest.ResponseRecorder) problem.Document {
	t.Helper()
	var doc problem.Document
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatalf("status %d with body %q: %v", w.Code, w.Body, err)
	}
	if doc.Status != w.Code || w.Header().Get("Content-Type") != problem.ContentType {
		t.Errorf("status %d, content type %q for problem %+v", w.Code, w.Header().Get("Content-Type"), doc)
	}
	return doc
}

// product returns a valid product with one more or other member.
func product(member string) string {
	return `{"sku":"A","name":"a","price_minor":1,"currency":"EUR"` + member + `}`
}

func TestRefused(t *testing.T) {
	t.Parallel()
	h := behind(t, accept)
	for _, tc := range []struct {
		name, method, target, body string
		status                     int
		code                       string
		errors                     []string // "pointer code", in order
	}{
		// The body as JSON.
		{name: "no body", method: "POST", target: "/auth/login", body: "", status: 400, code: "body_required"},
		{name: "blank body", method: "POST", target: "/auth/login", body: " \n", status: 400, code: "body_required"},
		{name: "not JSON", method: "POST", target: "/auth/login", body: "email=a", status: 400, code: "malformed_json"},
		{name: "cut off", method: "POST", target: "/auth/login", body: `{"email":`, status: 400, code: "malformed_json"},
		{name: "trailing garbage", method: "POST", target: "/auth/login", body: `{} {}`, status: 400, code: "malformed_json"},
		{
			name: "duplicate field", method: "POST", target: "/auth/login", body: `{"email":"a","password":"b","email":"c"}`,
			status: 400, code: "malformed_json", errors: []string{"/email duplicate_field"},
		},

		// Shape.
		{name: "null", method: "POST", target: "/auth/login", body: `null`, status: 422, errors: []string{" wrong_type"}},
		{name: "array", method: "POST", target: "/auth/login", body: `[]`, status: 422, errors: []string{" wrong_type"}},
		{name: "string", method: "POST", target: "/auth/login", body: `"x"`, status: 422, errors: []string{" wrong_type"}},
		{
			name: "nothing given", method: "POST", target: "/auth/register", body: `{}`, status: 422,
			errors: []string{"/email required", "/password required"},
		},
		{
			name: "all at once", method: "POST", target: "/auth/register",
			body: `{"email":"nobody","password":"short","name":7,"rôle":"admin","a/b":1}`, status: 422,
			errors: []string{"/a~1b unknown_field", "/rôle unknown_field", "/email invalid_format", "/name wrong_type", "/password password_too_short"},
		},
		{
			name: "unknown case of a known field", method: "POST", target: "/auth/login",
			body: `{"email":"a@b.c","password":"x","Email":"d@e.f"}`, status: 422, errors: []string{"/Email unknown_field"},
		},
		{name: "null for an optional field", method: "POST", target: "/auth/register", body: `{"name":null,"email":null,"password":"0123456789"}`, status: 422, errors: []string{"/email wrong_type"}},
		{
			name: "null field", method: "POST", target: "/auth/login", body: `{"email":null,"password":"x"}`, status: 422,
			errors: []string{"/email wrong_type"},
		},
		{
			name: "password too long", method: "POST", target: "/auth/register",
			body: `{"email":"a@b.c","password":"` + strings.Repeat("é", 513) + `"}`, status: 422,
			errors: []string{"/password password_too_long"},
		},
		{
			name: "display name in the address", method: "POST", target: "/auth/register",
			body: `{"email":"Ada <ada@example.com>","password":"0123456789"}`, status: 422, errors: []string{"/email invalid_format"},
		},

		// Values.
		{name: "empty text", method: "POST", target: "/products", body: `{"sku":"A","name":"","price_minor":1,"currency":"EUR"}`, status: 422, errors: []string{"/name too_short"}},
		{name: "long text", method: "POST", target: "/products", body: product(`,"category":"` + strings.Repeat("x", 101) + `"`), status: 422, errors: []string{"/category too_long"}},
		{name: "pattern", method: "POST", target: "/products", body: `{"sku":" A","name":"a","price_minor":1,"currency":"eur"}`, status: 422, errors: []string{"/currency invalid_format"}},
		{name: "members of any name", method: "POST", target: "/products", body: product(`,"prices":{"A":-1,"B":1.0,"C":"1","D":null,"E":1}`), status: 422, errors: []string{"/prices/A too_small", "/prices/C wrong_type", "/prices/D wrong_type", "/prices/B wrong_type"}},
		{name: "negative", method: "POST", target: "/products", body: `{"sku":"A","name":"a","price_minor":-1,"currency":"EUR"}`, status: 422, errors: []string{"/price_minor too_small"}},
		{name: "null in a map", method: "POST", target: "/products", body: `{"sku":"A","name":"a","price_minor":1,"currency":"EUR","prices":{"CHF":null}}`, status: 422, errors: []string{"/prices/CHF wrong_type"}},
		{name: "huge", method: "POST", target: "/products", body: `{"sku":"A","name":"a","price_minor":1000000000001,"currency":"EUR"}`, status: 422, errors: []string{"/price_minor too_large"}},
		{name: "beyond any float", method: "POST", target: "/products", body: `{"sku":"A","name":"a","price_minor":1e999,"currency":"EUR"}`, status: 422, errors: []string{"/price_minor wrong_type"}},
		{name: "fraction", method: "POST", target: "/products", body: `{"sku":"A","name":"a","price_minor":1.5,"currency":"EUR"}`, status: 422, errors: []string{"/price_minor wrong_type"}},
		{name: "integer with a fraction", method: "POST", target: "/products", body: `{"sku":"A","name":"a","price_minor":1.0,"currency":"EUR"}`, status: 422, errors: []string{"/price_minor wrong_type"}},
		{name: "integer with an exponent", method: "POST", target: "/products", body: `{"sku":"A","name":"a","price_minor":1e3,"currency":"EUR"}`, status: 422, errors: []string{"/price_minor wrong_type"}},
		{name: "number as text", method: "POST", target: "/products", body: `{"sku":"A","name":"a","price_minor":"1","currency":"EUR"}`, status: 422, errors: []string{"/price_minor wrong_type"}},
		{name: "attributes of another type", method: "POST", target: "/products", body: product(`,"attributes":[]`), status: 422, errors: []string{"/attributes wrong_type"}},
		{name: "NUL in free text", method: "POST", target: "/products", body: product(`,"attributes":{"a":[{"b\u0000":"x"},"\u0000"]}`), status: 422, errors: []string{"/attributes/a/0 invalid_value", "/attributes/a/1 invalid_value"}},
		{
			name: "too many attributes", method: "POST", target: "/products", status: 422, errors: []string{"/attributes too_long"},
			body: product(`,"attributes":{"0":0` + strings.Join(slices.Collect(func(yield func(string) bool) {
				for i := range 100 {
					yield(`,"k` + strings.Repeat("x", i) + `":1`)
				}
			}), "") + `}`),
		},
		{name: "enum", method: "PATCH", target: "/products/" + id, body: `{"status":"gone"}`, status: 422, errors: []string{"/status invalid_enum"}},
		{name: "enum of another type", method: "PATCH", target: "/products/" + id, body: `{"status":1}`, status: 422, errors: []string{"/status wrong_type"}},
		{name: "null where it means nothing", method: "PATCH", target: "/products/" + id, body: `{"name":null}`, status: 422, errors: []string{"/name wrong_type"}},
		{name: "empty list", method: "POST", target: "/auth/api-keys", body: `{"name":"a","scopes":[]}`, status: 422, errors: []string{"/scopes too_short"}},
		{name: "equal items", method: "POST", target: "/auth/api-keys", body: `{"name":"a","scopes":["read","read"]}`, status: 422, errors: []string{"/scopes duplicate_item"}},
		{name: "bad item", method: "POST", target: "/auth/api-keys", body: `{"name":"a","scopes":["read","root"]}`, status: 422, errors: []string{"/scopes/1 invalid_enum"}},

		// Parameters.
		{name: "limit too small", method: "GET", target: "/products?limit=0", status: 422, errors: []string{"/query/limit too_small"}},
		{name: "limit too large", method: "GET", target: "/products?limit=101", status: 422, errors: []string{"/query/limit too_large"}},
		{name: "limit is text", method: "GET", target: "/products?limit=ten", status: 422, errors: []string{"/query/limit wrong_type"}},
		{name: "limit is empty", method: "GET", target: "/products?limit=", status: 422, errors: []string{"/query/limit invalid_value"}},
		{name: "limit twice", method: "GET", target: "/products?limit=1&limit=2", status: 422, errors: []string{"/query/limit invalid_value"}},
		{name: "all parameters", method: "GET", target: "/products?status=new&cursor=%3D&q=", status: 422, errors: []string{"/query/cursor invalid_format", "/query/status invalid_enum", "/query/q too_short"}},
		{name: "a parameter is missing", method: "GET", target: "/analytics/events/timeseries", status: 422, errors: []string{"/query/type required"}},
		{name: "NUL in a parameter", method: "GET", target: "/products?q=a%00b", status: 422, errors: []string{"/query/q invalid_value"}},
		{name: "parameter is not UTF-8", method: "GET", target: "/products?q=%FF", status: 422, errors: []string{"/query/q invalid_value"}},
		{name: "query cannot be decoded", method: "GET", target: "/products?q=%zz", status: 400, code: "malformed_query"},
		{name: "unknown parameter", method: "GET", target: "/analytics/products/top?timezone=Asia/Kolkata&limit=0&a/b=1", status: 422, errors: []string{"/query/a~1b unknown_parameter", "/query/timezone unknown_parameter", "/query/limit too_small"}},
		{name: "unknown parameter where the handler validates", method: "POST", target: "/events?dry_run=1", body: `{}`, status: 422, errors: []string{"/query/dry_run unknown_parameter"}},
		{name: "no day", method: "GET", target: "/analytics/products/top?from=2026-02-30&to=yesterday", status: 422, errors: []string{"/query/from invalid_format", "/query/to invalid_format"}},
		{name: "metric", method: "GET", target: "/analytics/products/top?metric=likes", status: 422, errors: []string{"/query/metric invalid_enum"}},
		{name: "path text decodes once", method: "GET", target: "/analytics/users/" + strings.Repeat("x", 198) + "%2541/summary?from=x", status: 422, errors: []string{"/path/id too_long", "/query/from invalid_format"}},
		{name: "path text", method: "GET", target: "/analytics/users/" + strings.Repeat("x", 201) + "/summary", status: 422, errors: []string{"/path/id too_long"}},
		{name: "id is no UUID", method: "GET", target: "/products/17", status: 404, code: "not_found"},
		{name: "id in another spelling", method: "GET", target: "/products/" + strings.ReplaceAll(id, "-", ""), status: 404, code: "not_found"},
		{name: "id is no UUID, body neither JSON", method: "PATCH", target: "/products/17", body: "{", status: 404, code: "not_found"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := send(h, tc.method, tc.target, "application/json", tc.body)
			doc := document(t, w)
			if tc.code == "" {
				tc.code = "validation_failed"
			}
			var got []string
			for _, f := range doc.Errors {
				got = append(got, f.Pointer+" "+f.Code)
				if f.Detail == "" {
					t.Errorf("%s has no detail", f.Pointer)
				}
			}
			if doc.Status != tc.status || doc.Code != tc.code || !slices.Equal(got, tc.errors) {
				t.Errorf("got %d %s %q\nwant %d %s %q", doc.Status, doc.Code, got, tc.status, tc.code, tc.errors)
			}
		})
	}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ method, target, contentType, body string }{
		{"POST", "/auth/login", "", `{"email":"not checked here","password":"x"}`}, // no Content-Type is JSON
		{"POST", "/auth/login", "application/json; charset=UTF-8", `{"email":"a","password":"x"}`},
		{"POST", "/auth/register", "application/json", `{"email":"ada+1@example.com","password":"éééééééééé"}`}, // characters, not bytes
		{"POST", "/products", "application/json", product(`,"attributes":{"any":[1.5,1e3,null,{"thing":true}]}`)},
		{"PATCH", "/products/" + id, "application/merge-patch+json", `{"description":null,"attributes":null}`},
		{"PATCH", "/products/" + id, "application/json", `{}`},
		{"POST", "/products/bulk", "text/plain", `{"products":[`}, // the handler validates it
		{"GET", "/products?limit=100&status=all&category=caf%C3%A9&q=%25", "", ""},
		{"POST", "/products", "application/json", product(`,"category":null,"description":null,"attributes":null`)}, // absent
		{"GET", "/products/" + strings.ToUpper(id), "", ""},
		{"GET", "/analytics/users/me/summary?from=2024-02-29", "", ""},
		{"GET", "/analytics/users/a%2Fb/summary", "", ""},
	} {
		var got []byte
		h := behind(t, func(w http.ResponseWriter, r *http.Request) {
			got, _ = io.ReadAll(r.Body)
			accept(w, r)
		})
		w := send(h, tc.method, tc.target, tc.contentType, tc.body)
		if w.Code != http.StatusTeapot {
			t.Errorf("%s %s %s: refused with %d %s", tc.method, tc.target, tc.body, w.Code, w.Body)
		}
		if string(got) != tc.body {
			t.Errorf("%s %s: the handler reads %q, want %q", tc.method, tc.target, got, tc.body)
		}
	}
}

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	h := behind(t, accept)
	for _, contentType := range []string{
		"text/plain", "application/x-www-form-urlencoded", "application/merge-patch+json", "application/json; charset=latin1",
		"application/json;;", "application/xml",
	} {
		w := send(h, "POST", "/auth/login", contentType, `{"email":"a","password":"x"}`)
		if doc := document(t, w); doc.Status != http.StatusUnsupportedMediaType || doc.Code != "unsupported_media_type" {
			t.Errorf("%s: %+v", contentType, doc)
		}
	}

	r := httptest.NewRequest(http.MethodPost, "/auth/login", strings.NewReader("\x1f\x8b"))
	r.Header.Set("Content-Encoding", "gzip")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if doc := document(t, w); doc.Status != http.StatusUnsupportedMediaType || doc.Code != "unsupported_encoding" {
		t.Errorf("gzip: %+v", doc)
	}
}

// endless is a body without end; it fails the test when more is read than any limit.
type endless struct {
	t    *testing.T
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read += len(p); e.read > 16<<20 {
		e.t.Error("the body is read without a limit")
		return 0, io.EOF
	}
	return copy(p, bytes.Repeat([]byte(" "), len(p))), nil
}

func TestBodyLimits(t *testing.T) {
	t.Parallel()
	h := behind(t, accept)
	for target, limit := range map[string]int{"/auth/login": 64 << 10, "/products": 64 << 10} {
		body := &endless{t: t}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, target, body))
		if doc := document(t, w); doc.Status != http.StatusRequestEntityTooLarge || doc.Code != "body_too_large" {
			t.Errorf("%s: %+v", target, doc)
		}
		if body.read < limit || body.read > 2*limit+1<<20 {
			t.Errorf("%s: read %d bytes for a limit of %d", target, body.read, limit)
		}
	}
}

// TestAnnouncedBody checks that a body that says that it is too large is refused before a byte of it is read.
func TestAnnouncedBody(t *testing.T) {
	t.Parallel()
	body := &endless{t: t}
	r := httptest.NewRequest(http.MethodPost, "/auth/login", body)
	r.ContentLength = 64<<10 + 1
	w := httptest.NewRecorder()
	behind(t, accept).ServeHTTP(w, r)
	if doc := document(t, w); doc.Status != http.StatusRequestEntityTooLarge || body.read > 0 {
		t.Errorf("%+v after %d bytes", doc, body.read)
	}
}

func TestAnswerIsBounded(t *testing.T) {
	t.Parallel()
	h := behind(t, accept)
	members := []string{`"` + strings.Repeat("k", 1000) + `":1`}
	for i := range 5000 {
		members = append(members, fmt.Sprintf(`"%d":1`, i))
	}
	w := send(h, "POST", "/auth/login", "application/json", "{"+strings.Join(members, ",")+"}")
	if doc := document(t, w); len(doc.Errors) != 100 {
		t.Errorf("%d errors, want 100", len(doc.Errors))
	}
	if w.Body.Len() > 20<<10 {
		t.Errorf("the answer has %d bytes", w.Body.Len())
	}
}

func TestValuesAreNotRepeated(t *testing.T) {
	t.Parallel()
	h := behind(t, accept)
	const secret = "hunter2-hunter2"
	for _, tc := range []struct{ method, target, body string }{
		{"POST", "/auth/register", `{"email":"` + secret + `","password":{"` + "x" + `":"` + secret + `"}}`},
		{"POST", "/auth/register", `{"email":"a@b.c","password":["` + secret + `"]}`},
		{"POST", "/auth/register", `{"email":"a@b.c","password":"` + strings.Repeat(secret, 20) + `"}`},
		{"POST", "/auth/login", `{"email":"a","password":"` + secret + `"`},
		{"POST", "/auth/login", `{"email":"a","password":"x","pass":"` + secret + `"}`},
		{"POST", "/auth/login", `{"email":"a","password":"` + secret + `","password":"` + secret + `"}`},
		{"POST", "/auth/refresh", `{"refresh_token":"` + strings.Repeat(secret, 50) + `"}`},
		{"GET", "/products?limit=" + secret, ""},
		{"GET", "/products?cursor=" + secret + "%20", ""},
	} {
		w := send(h, tc.method, tc.target, "", tc.body)
		if w.Code < 400 || w.Code > 422 {
			t.Errorf("%s: status %d", tc.target, w.Code)
		}
		if got := w.Body.String(); strings.Contains(got, secret) {
			t.Errorf("%s: the answer repeats the value: %s", tc.target, got)
		}
	}
}

func TestWholeDocument(t *testing.T) {
	t.Parallel()
	h := behind(t, accept)
	got := document(t, send(h, "POST", "/auth/register", "", `{"email":"ada@example.com","password":"123","x":1}`))
	want := problem.Document{
		Type: problem.TypeBase + "validation_failed", Title: "Unprocessable Entity", Status: 422, Code: "validation_failed",
		Detail: "The request does not fit; errors says where and why.",
		Errors: got.Errors,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
	details := map[string]string{"/x": "There is no such field.", "/password": "Must have at least 10 characters."}
	for _, field := range got.Errors {
		if field.Detail != details[field.Pointer] {
			t.Errorf("%s: detail %q", field.Pointer, field.Detail)
		}
	}
}

// FuzzRequests checks that no body causes a panic, that every refusal is a problem with valid pointers, and that an accepted
// body decodes.
func FuzzRequests(f *testing.F) {
	for _, seed := range []string{
		product(""), product(`,"attributes":{"a":"\u0000"}`), product(`,"attributes":[{}],"x":{}`), `{"sku":1,"name":null}`,
		`{"price_minor":1e400}`, `{"price_minor":1.0}`, `[]`, `{`, ``, `{"a":1,"a":2}`,
	} {
		f.Add([]byte(seed))
	}
	h := behind(f, accept)
	f.Fuzz(func(t *testing.T, body []byte) {
		w := send(h, "POST", "/products", "application/json", string(body))
		if w.Code == http.StatusTeapot {
			var request struct {
				SKU, Name, Currency string
				PriceMinor          int64 `json:"price_minor"`
			}
			if err := json.Unmarshal(body, &request); err != nil || request.SKU == "" || request.Name == "" || len(request.Currency) != 3 {
				t.Fatalf("accepted %q: %+v, %v", body, request, err)
			}
			return
		}
		doc := document(t, w)
		if doc.Status != 400 && doc.Status != 422 {
			t.Fatalf("status %d for %q", doc.Status, body)
		}
		for _, f := range doc.Errors {
			if f.Code == "" || f.Detail == "" || f.Pointer != "" && !strings.HasPrefix(f.Pointer, "/") {
				t.Fatalf("%q: field %+v", body, f)
			}
		}
	})
}
