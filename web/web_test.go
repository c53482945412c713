package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/hp-analytics/hp-analytics/web"
)

func get(t *testing.T, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := chi.NewRouter()
	web.Mount(r)
	request := httptest.NewRequest(http.MethodGet, target, nil)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, request)
	return w
}

var files = regexp.MustCompile(`(?:src|href)="([^"]*/assets/[^"]+)"`)

// TestPages checks that each address of the dashboard gives the page, that the page is never stale, and that its files are found from
// there, under a prefix as well, and are kept for ever.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/", "/app", "/app/", "/app/products", "/app/products/0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10"} {
		page := get(t, target)
		if page.Code != http.StatusOK || page.Header().Get("Cache-Control") != "no-cache" || !strings.HasPrefix(page.Body.String(), "<!DOCTYPE html>") {
			t.Errorf("%s: %d %v", target, page.Code, page.Header())
		}
		policy := page.Header().Get("Content-Security-Policy")
		if policy == "" || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", target, policy)
		}
		found := files.FindAllStringSubmatch(page.Body.String(), -1)
		if len(found) != 2 {
			t.Fatalf("%s names the files %q", target, found)
		}
		for _, file := range found {
			base := &url.URL{Path: "/shop/api" + target}
			resolved := base.ResolveReference(&url.URL{Path: file[1]}).Path
			asset := get(t, strings.TrimPrefix(resolved, "/shop/api"))
			if asset.Code != http.StatusOK || asset.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || asset.Body.Len() < 1000 {
				t.Errorf("%s from %s: %d %v", file[1], target, asset.Code, asset.Header())
			}
			if kind := map[string]string{".js": "text/javascript", ".css": "text/css"}[path.Ext(resolved)]; !strings.HasPrefix(asset.Header().Get("Content-Type"), kind) {
				t.Errorf("%s is %s", resolved, asset.Header().Get("Content-Type"))
			}
		}
	}
	if w := get(t, "/app/licences.txt"); w.Code != http.StatusOK || strings.Count(w.Body.String(), "MIT") < 3 {
		t.Errorf("the licences: %d %.200s", w.Code, w.Body)
	}
	for _, target := range []string{"/app/assets/nothing.js", "/app/assets/web.go"} {
		if w := get(t, target); w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", target, w.Code, w.Header())
		}
	}
}

// TestEmbedding checks that only a shared report can be shown inside of another page.
func TestEmbedding(t *testing.T) {
	t.Parallel()
	for target, embeds := range map[string]bool{
		"/app/shared?embed=1": true, "/app/shared": false, "/app/shared?embed=0": false, "/app/shared/?embed=1": false, "/app/shared/x?embed=1": false,
		"/app/sharedx?embed=1": false, "/app?embed=1": false, "/?embed=1": false, "/app/products?embed=1": false,
	} {
		header := get(t, target).Header()
		if got := strings.HasSuffix(header.Get("Content-Security-Policy"), "; frame-ancestors *"); got != embeds {
			t.Errorf("%s can be embedded: %t, want %t", target, got, embeds)
		}
		if got := header.Get("Referrer-Policy"); got != "no-referrer" {
			t.Errorf("%s: Referrer-Policy: %s", target, got)
		}
	}
}

// TestWeight checks the budget: the whole application in at most 150 KB over the wire.
func TestWeight(t *testing.T) {
	t.Parallel()
	page := get(t, "/", "Accept-Encoding: gzip")
	total := page.Body.Len()
	for _, file := range files.FindAllStringSubmatch(get(t, "/").Body.String(), -1) {
		w := get(t, "/"+file[1], "Accept-Encoding: gzip")
		if w.Header().Get("Content-Encoding") != "gzip" {
			t.Errorf("%s is not compressed", file[1])
		}
		total += w.Body.Len()
	}
	t.Logf("%d bytes over the wire", total)
	if total > 150_000 {
		t.Errorf("%d bytes over the wire, want at most 150,000", total)
	}
}
