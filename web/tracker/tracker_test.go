package tracker_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/hp-analytics/hp-analytics/web"
	"github.com/hp-analytics/hp-analytics/web/tracker"
)

func get(t *testing.T, target string, headers map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	r := chi.NewRouter()
	web.Mount(r)
	tracker.Mount(r)
	request := httptest.NewRequest(http.MethodGet, target, nil)
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, request)
	return w
}

// TestWeight checks the budget: the script has at most 2 KB over the wire.
func TestWeight(t *testing.T) {
	t.Parallel()
	w := get(t, "/hp.js", map[string]string{"Accept-Encoding": "gzip"})
	if w.Header().Get("Content-Encoding") != "gzip" {
		t.Error("the script is not compressed")
	}
	t.Logf("%d bytes over the wire", w.Body.Len())
	if w.Body.Len() > 2048 {
		t.Errorf("%d bytes over the wire, want at most 2,048", w.Body.Len())
	}
	content, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	script, err := io.ReadAll(content)
	if err != nil || !bytes.Equal(script, get(t, "/hp.js", nil).Body.Bytes()) {
		t.Errorf("the compressed script is another: %v", err)
	}
}

// TestPinned checks that the dashboard shows a name and a hash which fit the newest script, that the script by that name is kept for ever,
// and that pages of other origins may load both.
func TestPinned(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../src/tracker.gen.ts")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`script = "(.+)";\nexport const integrity = "(.+)"`).FindSubmatch(source)
	if shown == nil {
		t.Fatalf("tracker.gen.ts is %s", source)
	}
	newest, pinned := get(t, "/hp.js", nil), get(t, "/app/assets/"+string(shown[1]), nil)
	sum := sha512.Sum384(newest.Body.Bytes())
	if got := "sha384-" + base64.StdEncoding.EncodeToString(sum[:]); got != string(shown[2]) {
		t.Errorf("the hash of the script is %s, and the dashboard shows %s", got, shown[2])
	}
	if !bytes.Equal(newest.Body.Bytes(), pinned.Body.Bytes()) {
		t.Error("the newest script and the one that the dashboard shows differ")
	}
	for cache, w := range map[string]*httptest.ResponseRecorder{"public, max-age=3600": newest, "public, max-age=31536000, immutable": pinned} {
		for name, want := range map[string]string{
			"Cache-Control": cache, "Content-Type": "text/javascript; charset=utf-8", "Access-Control-Allow-Origin": "*",
			"Cross-Origin-Resource-Policy": "cross-origin", "X-Content-Type-Options": "nosniff",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	}
	if w := get(t, "/hp.js", map[string]string{"If-None-Match": newest.Header().Get("ETag")}); w.Code != http.StatusNotModified {
		t.Errorf("a script that is not modified is answered with %d", w.Code)
	}
	if w := get(t, "/app/assets/hp-000000000000.js", nil); w.Code != http.StatusNotFound {
		t.Errorf("a script that never was is answered with %d", w.Code)
	}
}
