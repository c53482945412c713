package edge

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// discard is a ResponseWriter that costs nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkEdge measures what the edge adds to a handler that does nothing, routing included.
func BenchmarkEdge(b *testing.B) {
	c, err := contract.Load()
	if err != nil {
		b.Fatal(err)
	}
	router := chi.NewRouter()
	for _, service := range []string{"catalog", "ingest", "analytics"} {
		limits := map[string]Limit{}
		for _, o := range c.Operations() {
			for _, name := range o.Limits {
				if o.Service == service {
					limits[name] = ChargedByHandler()
				}
			}
		}
		register := func(r chi.Router) {
			for _, o := range c.Operations() {
				if o.Service == service {
					r.MethodFunc(o.Method, o.Path, func(http.ResponseWriter, *http.Request) {})
				}
			}
		}
		options := Options{Authenticator: tokens{"token": {KeyID: "k", Scopes: []authn.Scope{authn.ScopeAdmin}}}, Limits: limits}
		if err := mount(c, router, service, options, register); err != nil {
			b.Fatal(err)
		}
	}
	for _, bc := range []struct{ name, method, target, body string }{
		{"event", http.MethodPost, "/events", `{"type":"view"}`},
		{"product", http.MethodGet, "/products/0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10", ""},
		{"list", http.MethodGet, "/products?limit=100&status=all&category=shoes", ""},
		{"top", http.MethodGet, "/analytics/products/top?from=2026-03-01&to=2026-03-31&metric=views", ""},
		{"create", http.MethodPost, "/products", `{"sku":"A","name":"a","price_minor":1,"currency":"EUR"}`},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			w, content := discard{header: http.Header{}}, strings.NewReader(bc.body)
			r := httptest.NewRequest(bc.method, bc.target, content)
			r.Header.Set("Authorization", "Bearer token")
			for b.Loop() {
				content.Reset(bc.body)
				router.ServeHTTP(w, r)
			}
		})
	}
}
