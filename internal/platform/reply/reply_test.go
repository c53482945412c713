package reply_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/reply"
)

func write(t *testing.T, p *reply.Reply, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	asked := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		asked.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	if status, written := p.Write(w, asked); status != w.Code || written != w.Body.Len() {
		t.Errorf("%v: Write says %d and %d bytes, the answer is %d with %d", headers, status, written, w.Code, w.Body.Len())
	}
	return w
}

func TestConditions(t *testing.T) {
	t.Parallel()
	small := reply.New([]byte(`{}`), reply.Options{Tag: "7", CacheControl: "public, no-cache"})
	for condition, want := range map[string]int{
		`"7"`: 304, `W/"7"`: 304, `"7-gzip"`: 304, `"6", "7"`: 304, `*`: 304,
		`"6"`: 200, `7`: 200, `"77"`: 200, `"7`: 200, ``: 200,
	} {
		got := write(t, small, "If-None-Match", condition)
		if got.Code != want || got.Header().Get("Etag") != `"7"` || got.Header().Get("Cache-Control") != "public, no-cache" {
			t.Errorf("If-None-Match: %s: status %d, want %d; header %v", condition, got.Code, want, got.Header())
		}
	}
	if got := write(t, small, "Accept-Encoding", "gzip"); got.Header().Get("Content-Encoding") != "" || got.Header().Get("Vary") != "" {
		t.Errorf("a small body: header %v", got.Header())
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	body := []byte(`{"text":"` + strings.Repeat("light shoe ", 200) + `"}`)
	p := reply.New(body, reply.Options{CacheControl: "private, no-cache", Vary: "Accept"})
	plain := write(t, p)
	for accepted, want := range map[string]bool{
		"gzip": true, "br, GZIP;q=0.5": true, "gzip;q=1": true, "gzip ; q=0.001": true,
		"": false, "br": false, "gzip;q=0": false, "gzip;q=2": false, "identity": false,
	} {
		got := write(t, p, "Accept-Encoding", accepted)
		if zipped := got.Header().Get("Content-Encoding") == "gzip"; zipped != want {
			t.Errorf("Accept-Encoding: %s: compressed %t", accepted, zipped)
		}
		if got.Header().Get("Vary") != "Accept, Accept-Encoding" {
			t.Errorf("Accept-Encoding: %s: Vary %q", accepted, got.Header().Get("Vary"))
		}
		if !want {
			continue
		}
		if got.Header().Get("Etag") == plain.Header().Get("Etag") || got.Body.Len() >= len(body) {
			t.Errorf("compressed: %d of %d bytes with the tag %s", got.Body.Len(), len(body), got.Header().Get("Etag"))
		}
		reader, err := gzip.NewReader(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		if content, err := io.ReadAll(reader); err != nil || !bytes.Equal(content, body) {
			t.Errorf("compressed: %q, %v", content, err)
		}
		if again := write(t, p, "Accept-Encoding", accepted, "If-None-Match", got.Header().Get("Etag")); again.Code != http.StatusNotModified {
			t.Errorf("If-None-Match with the tag of the compressed body: %d", again.Code)
		}
	}
}

// TestTags covers replies with a weak tag, and without one.
func TestTags(t *testing.T) {
	t.Parallel()
	body := []byte(`{"text":"` + strings.Repeat("light shoe ", 200) + `"}`)
	strong := reply.New(body, reply.Options{})
	weak := reply.New(bytes.ToUpper(body), reply.Options{Tag: strong.Tag(), Weak: true})
	for _, encoding := range []string{"", "gzip"} {
		want := write(t, strong, "Accept-Encoding", encoding).Header().Get("Etag")
		got := write(t, weak, "Accept-Encoding", encoding).Header().Get("Etag")
		if got != "W/"+want {
			t.Errorf("%q: the weak tag is %s, the strong one %s", encoding, got, want)
		}
		for _, p := range []*reply.Reply{strong, weak} {
			if again := write(t, p, "If-None-Match", got); again.Code != http.StatusNotModified {
				t.Errorf("%q: status %d for %s", encoding, again.Code, got)
			}
		}
	}
	untagged := reply.New(body, reply.Options{Untagged: true})
	for _, condition := range []string{"*", `""`, `"` + strong.Tag() + `"`} {
		got := write(t, untagged, "If-None-Match", condition, "Accept-Encoding", "gzip")
		if _, tagged := got.Header()["Etag"]; got.Code != http.StatusOK || tagged {
			t.Errorf("If-None-Match: %s without a tag: status %d, header %v", condition, got.Code, got.Header())
		}
	}
}

// TestSizeBoundsWhatIsKept: a body that gzip hardly makes smaller has no second copy.
func TestSizeBoundsWhatIsKept(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 3000)
	for i := range noise {
		noise[i] = "0123456789ABCDEF"[rand.IntN(16)]
	}
	for name, body := range map[string][]byte{"noise": noise, "text": bytes.Repeat([]byte("light shoe "), 300)} {
		p := reply.New(body, reply.Options{})
		sent := write(t, p, "Accept-Encoding", "gzip")
		kept := len(body)
		if sent.Header().Get("Content-Encoding") == "gzip" {
			kept += sent.Body.Len()
		}
		if kept > p.Size() || p.Size() >= 2*len(body) {
			t.Errorf("%s: %d bytes are kept, Size says %d of %d", name, kept, p.Size(), len(body))
		}
	}
}

// TestHitsAllocateNothing covers what a reply itself adds to an answer.
func TestHitsAllocateNothing(t *testing.T) { //nolint:paralleltest // it measures the whole process
	p := reply.New(bytes.Repeat([]byte("x"), 2000), reply.Options{CacheControl: "no-cache"})
	w := discard{http.Header{}}
	for name, asked := range map[string]http.Header{
		"200": {}, "304": {"If-None-Match": {write(t, p).Header().Get("Etag")}}, "gzip": {"Accept-Encoding": {"br, gzip"}},
	} {
		if n := testing.AllocsPerRun(100, func() { p.Write(w, asked) }); n > 0 {
			t.Errorf("%s: %.0f allocations", name, n)
		}
	}
}

// discard is a ResponseWriter that costs nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
