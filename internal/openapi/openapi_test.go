package openapi_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/hp-analytics/hp-analytics/internal/openapi"
	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
)

func serve(t *testing.T) http.Handler {
	t.Helper()
	router := chi.NewRouter()
	openapi.Mount(router)
	return openapitest.New(t).Handler(router)
}

func get(h http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestDocument(t *testing.T) {
	t.Parallel()
	h := serve(t)
	first := get(h, "/openapi.yaml")
	if first.Code != http.StatusOK || first.Body.String() != openapi.Source() {
		t.Fatalf("status %d with %d bytes", first.Code, first.Body.Len())
	}
	if got := first.Header().Get("Content-Type"); got != "application/yaml" {
		t.Errorf("content type %q", got)
	}
	again := get(h, "/openapi.yaml", "If-None-Match", first.Header().Get("ETag"))
	if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("with the ETag: status %d with %d bytes", again.Code, again.Body.Len())
	}
	for _, ignored := range [][2]string{{"Range", "bytes=9-1"}, {"Range", "bytes=0-1"}, {"If-Match", `"1"`}, {"If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"}} {
		if w := get(h, "/openapi.yaml", ignored[0], ignored[1]); w.Code != http.StatusOK || w.Body.Len() != first.Body.Len() {
			t.Errorf("with %s: status %d with %d bytes", ignored[0], w.Code, w.Body.Len())
		}
	}
}

// links matches the files that a page loads.
var links = regexp.MustCompile(`(?:src|href)="([^"]*)"`)

// TestDocsAreComplete requests every file that the page loads, and checks that none is on another host.
func TestDocsAreComplete(t *testing.T) {
	t.Parallel()
	h := serve(t)
	for _, target := range []string{"/docs", "/docs/"} {
		page := get(h, target)
		if page.Code != http.StatusOK || !strings.HasPrefix(page.Header().Get("Content-Type"), "text/html") {
			t.Fatalf("%s: status %d, %q", target, page.Code, page.Header().Get("Content-Type"))
		}
		found := links.FindAllStringSubmatch(page.Body.String(), -1)
		if len(found) != 5 {
			t.Fatalf("%s loads %d files, want 5: %q", target, len(found), found)
		}
		for _, link := range found {
			address, err := url.Parse("https://example.org/shop/api" + target) // as a browser sees it behind a prefix
			if err != nil {
				t.Fatal(err)
			}
			if address, err = address.Parse(link[1]); err != nil || !strings.HasPrefix(address.String(), "https://example.org/shop/api/docs/") {
				t.Fatalf("%s loads %s, %v", target, address, err)
			}
			file := get(h, strings.TrimPrefix(address.Path, "/shop/api"))
			if file.Code != http.StatusOK || file.Body.Len() == 0 {
				t.Errorf("%s: status %d", link[1], file.Code)
			}
		}
	}
	if w := get(h, "/docs/nothing.js"); w.Code != http.StatusNotFound {
		t.Errorf("/docs/nothing.js: status %d", w.Code)
	}
}

func TestDocsPolicy(t *testing.T) {
	t.Parallel()
	h := serve(t)
	for _, target := range []string{"/docs", "/docs/docs.js", "/docs/swagger-ui-bundle.js", "/docs/oauth2-redirect.html"} {
		w := get(h, target)
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "script-src 'self';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", target, policy)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s may be sniffed", target)
		}
	}
	page := get(h, "/docs").Body.String()
	if strings.Contains(page, "<script>") || strings.Contains(page, "<style") || regexp.MustCompile(`\son\w+=`).MatchString(page) {
		t.Errorf("the page has inline code, which its policy forbids: %s", page)
	}
}
