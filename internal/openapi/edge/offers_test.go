package edge

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// TestAcceptMustFit sends reads whose Accept fits or not, and writes, which nobody refuses for what they accept.
func TestAcceptMustFit(t *testing.T) {
	t.Parallel()
	c, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	router := chi.NewRouter()
	for service, limits := range map[string]map[string]Limit{"catalog": nil, "analytics": {"analytics": ChargedByHandler(), "shared": ChargedByHandler()}} {
		register := func(r chi.Router) {
			for _, o := range c.Operations() {
				if o.Service == service {
					r.MethodFunc(o.Method, o.Path, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
				}
			}
		}
		if err := mount(c, router, service, Options{Authenticator: callers, Limits: limits}, register); err != nil {
			t.Fatal(err)
		}
	}
	const product, top = "/products/0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10", "/analytics/products/top"
	for _, test := range []struct {
		target, token, accept string
		want                  int
	}{
		{product, "", "", http.StatusTeapot},
		{product, "", "*/*", http.StatusTeapot},
		{product, "", "application/json;q=0.1, text/html", http.StatusTeapot},
		{product, "", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", http.StatusTeapot},
		{product, "", "text/csv", http.StatusNotAcceptable},
		{product, "", "application/json;q=0", http.StatusNotAcceptable},
		{product, "", "application/json;q=x", http.StatusNotAcceptable},
		{"/products", "", "image/png", http.StatusNotAcceptable},
		{top, "read", "text/csv", http.StatusTeapot},
		{top, "read", "application/x-ndjson", http.StatusTeapot},
		{top, "read", "image/png", http.StatusNotAcceptable},
		// Problems are sent whatever is accepted: what is wrong is worth more than that the words do not fit.
		{top, "", "image/png", http.StatusUnauthorized},
		{top, "ingest", "image/png", http.StatusForbidden},
		{top + "?limit=0", "read", "application/json", http.StatusUnprocessableEntity},
		{top + "?limit=0", "read", "text/csv", http.StatusUnprocessableEntity},
		{"/products/none", "", "application/json", http.StatusNotFound},
	} {
		r := thing(test.target, test.token)
		if test.accept != "" {
			r.Header.Set("Accept", test.accept)
		}
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s as %q with Accept: %s: status %d, want %d", test.target, test.token, test.accept, w.Code, test.want)
		}
		if w.Code != http.StatusTeapot && w.Header().Get("Content-Type") != problem.ContentType {
			t.Errorf("%s with Accept: %s: %s", test.target, test.accept, w.Header().Get("Content-Type"))
		}
		if w.Code == http.StatusNotAcceptable && !strings.Contains(w.Body.String(), `"code":"not_acceptable","detail":"This is answered as application/json`) {
			t.Errorf("%s with Accept: %s: %s", test.target, test.accept, w.Body)
		}
	}
	write := httptest.NewRequest(http.MethodDelete, product, nil)
	write.Header.Set("Authorization", "Bearer root")
	write.Header.Set("Accept", "image/png")
	w := httptest.NewRecorder()
	router.ServeHTTP(w, write)
	if w.Code != http.StatusTeapot {
		t.Errorf("a write: status %d %s", w.Code, w.Body)
	}
}
