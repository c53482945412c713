package body_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/inflight"
)

const limit = 100_000

var errTooLarge = errs.New(errs.TooLarge, "body_too_large", "The body is too large.")

var (
	terms     = body.Terms{Bytes: limit, TooLarge: errTooLarge}
	streaming = body.Terms{Bytes: limit, TooLarge: errTooLarge, Streamed: true}
)

var pace = body.Pace{Stall: 5 * time.Second, Rate: 1000, Total: 30 * time.Second}

func newOpener(tb testing.TB, budget int64) *body.Opener {
	tb.Helper()
	return body.NewOpener(inflight.NewBudget("ingest", inflight.Limits{Total: budget, Caller: 2 * budget, Address: 2 * budget}, prometheus.NewRegistry()), pace)
}

// read sends content through opener and returns what comes out.
func read(opener *body.Opener, encoding string, content io.Reader) ([]byte, error) {
	r := httptest.NewRequest(http.MethodPost, "/events", content)
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	b, err := opener.Open(httptest.NewRecorder(), r, terms)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return b.ReadAll()
}

func gzipped(tb testing.TB, content []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(content); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(tb testing.TB, content []byte) []byte {
	tb.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return w.EncodeAll(content, nil)
}

// streamed compresses without telling the size ahead, as a client does that does not know it.
func streamed(tb testing.TB, content io.Reader, options ...zstd.EOption) []byte {
	tb.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, options...)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := io.Copy(w, content); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	content := []byte(strings.Repeat("0123456789", limit/10)) // as long as can be
	opener := newOpener(t, 1<<30)
	for name, tc := range map[string]struct {
		encoding string
		sent     []byte
	}{
		"none":           {"", content},
		"identity":       {"identity", content},
		"gzip":           {"gzip", gzipped(t, content)},
		"x-gzip":         {"x-gzip", gzipped(t, content)},
		"gzip in two":    {"GZIP", append(gzipped(t, content[:7]), gzipped(t, content[7:])...)},
		"zstd":           {"zstd", zstandard(t, content)},
		"zstd in two":    {"zstd", append(zstandard(t, content[:7]), zstandard(t, content[7:])...)},
		"zstd, streamed": {"zstd", streamed(t, bytes.NewReader(content), zstd.WithWindowSize(8<<20))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 3 { // decoders are used again
				got, err := read(opener, tc.encoding, bytes.NewReader(tc.sent))
				if err != nil || !bytes.Equal(got, content) {
					t.Fatalf("got %d bytes, %v; want %d", len(got), err, len(content))
				}
			}
		})
	}
}

// Where a client may send gzip without saying so, the body itself tells; elsewhere it stays as it is.
func TestGzipThatNobodyAnnounced(t *testing.T) {
	t.Parallel()
	content := []byte("0123456789")
	packed := gzipped(t, content)
	sniffing := terms
	sniffing.SniffGzip = true
	for name, tc := range map[string]struct {
		terms      body.Terms
		sent, want []byte
	}{
		"gzip": {sniffing, packed, content}, "text": {sniffing, content, content}, "nothing": {sniffing, nil, nil}, "not asked for": {terms, packed, packed},
	} {
		b, err := newOpener(t, 1<<30).Open(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/events", bytes.NewReader(tc.sent)), tc.terms)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.ReadAll(); err != nil || !bytes.Equal(got, tc.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		b.Close()
	}
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	// An empty zstd frame (RFC 8878, section 3.1.1) that asks for a window of 16 MiB.
	hugeWindow := []byte{0x28, 0xB5, 0x2F, 0xFD, 0x00, (24 - 10) << 3, 0x01, 0x00, 0x00}
	long := make([]byte, limit+1)
	for i := range long {
		long[i] = byte(i * i >> 3)
	}
	empty := bytes.Repeat(gzipped(t, nil), limit/20)
	opener := newOpener(t, 1<<30)
	for name, tc := range map[string]struct {
		encoding string
		sent     []byte
		want     errs.Kind
		code     string
	}{
		"unknown encoding":      {"br", nil, errs.UnsupportedMedia, "unsupported_encoding"},
		"two encodings":         {"gzip, gzip", nil, errs.UnsupportedMedia, "unsupported_encoding"},
		"no gzip":               {"gzip", []byte("{}"), errs.Malformed, "unreadable_body"},
		"no gzip at all":        {"gzip", nil, errs.Malformed, "unreadable_body"},
		"half a gzip":           {"gzip", gzipped(t, long[:1000])[:500], errs.Malformed, "unreadable_body"},
		"no zstd":               {"zstd", []byte("{}"), errs.Malformed, "unreadable_body"},
		"half a zstd":           {"zstd", zstandard(t, long[:1000])[:500], errs.Malformed, "unreadable_body"},
		"long":                  {"", long, errs.TooLarge, "body_too_large"},
		"long gzip":             {"gzip", gzipped(t, long), errs.TooLarge, "body_too_large"},
		"long zstd":             {"zstd", zstandard(t, long), errs.TooLarge, "body_too_large"},
		"gzip of endless empty": {"gzip", append(empty, empty...), errs.TooLarge, "compression_ratio"},
		"zstd of a huge window": {"zstd", hugeWindow, errs.Malformed, "unreadable_body"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(opener, tc.encoding, bytes.NewReader(tc.sent))
			if !errs.Is(err, tc.want) || errs.CodeOf(err) != tc.code {
				t.Errorf("got %v, want %s %s", err, tc.want, tc.code)
			}
		})
	}
}

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]struct {
		lines body.Format
		json  bool
	}{
		"":                                   {body.JSON, true},
		"application/json":                   {body.JSON, true},
		`application/json; charset="UTF-8"`:  {body.JSON, true},
		"application/x-ndjson":               {body.NDJSON, false},
		"application/jsonl; charset=utf-8":   {body.NDJSON, false},
		"application/json; charset=latin1":   {-1, false},
		"application/ndjson; charset=utf-16": {-1, false},
		"text/csv":                           {-1, false},
		";":                                  {-1, false},
	} {
		r := httptest.NewRequest(http.MethodPost, "/events", nil)
		r.Header.Set("Content-Type", header)
		format, err := body.FormatOf(r)
		if err != nil {
			format = -1
		}
		if json := body.RequireJSON(r); format != want.lines || (json == nil) != want.json {
			t.Errorf("%q: format %d, %v; JSON only: %v", header, format, err, json)
		}
	}
}

// TestAnnouncedBody checks that a body that says that it is too large is refused before a byte of it is read.
func TestAnnouncedBody(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, "/events", iotest.ErrReader(errors.New("read")))
	r.ContentLength = limit + 1
	if _, err := newOpener(t, 1<<30).Open(httptest.NewRecorder(), r, terms); errs.CodeOf(err) != "body_too_large" {
		t.Errorf("got %v", err)
	}
}

func TestConnectionLostInTheMiddle(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	_, err := read(newOpener(t, 1<<30), "", io.MultiReader(strings.NewReader(`{"type"`), iotest.ErrReader(broken)))
	if !errs.Is(err, errs.Malformed) || !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// TestBombs is not parallel: it measures what is allocated.
func TestBombs(t *testing.T) {
	const part = 1 << 20
	opener := newOpener(t, 1<<30)
	for name, tc := range map[string]struct {
		encoding string
		bomb     []byte
	}{
		"gzip":               {"gzip", bytes.Repeat(gzipped(t, make([]byte, part)), 50)},
		"zstd, small window": {"zstd", bytes.Repeat(zstandard(t, make([]byte, part)), 500)},
		"zstd, large window": {"zstd", streamed(t, bytes.NewReader(make([]byte, 50*part)), zstd.WithWindowSize(8<<20))},
		"zstd, many frames":  {"zstd", bytes.Repeat(zstandard(t, make([]byte, 30)), limit/20)},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := read(opener, tc.encoding, bytes.NewReader(tc.bomb))
		runtime.ReadMemStats(&after)
		if !errs.Is(err, errs.TooLarge) {
			t.Errorf("%s: got %v", name, err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
			t.Errorf("%s: %d MiB were allocated for %d bytes", name, grown>>20, len(tc.bomb))
		}
	}
}

func TestBodiesShareABudget(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("x"), 50_000)
	for encoding, sent := range map[string][]byte{"": content, "gzip": gzipped(t, content), "zstd": zstandard(t, content)} {
		t.Run(fmt.Sprintf("encoding %q", encoding), func(t *testing.T) {
			t.Parallel()
			opener := newOpener(t, 150_000)
			r := httptest.NewRequest(http.MethodPost, "/events", bytes.NewReader(content))
			first, err := opener.Open(httptest.NewRecorder(), r, terms)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := first.ReadAll(); err != nil {
				t.Fatal(err)
			}
			second, err := opener.Open(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/events", bytes.NewReader(content)), terms)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := second.ReadAll(); err != nil {
				t.Fatal(err)
			}
			if _, err := read(opener, encoding, bytes.NewReader(sent)); !errors.Is(err, inflight.ErrFull) {
				t.Errorf("a third of three: got %v", err)
			}
			first.Close()
			second.Close()
			for range 10 { // what was turned away holds nothing either
				if got, err := read(opener, encoding, bytes.NewReader(sent)); err != nil || len(got) != len(content) {
					t.Fatalf("afterwards: %d bytes, %v", len(got), err)
				}
			}
		})
	}
}

// TestAStreamTakesWhatIsKept reads bodies much larger than the budget.
func TestAStreamTakesWhatIsKept(t *testing.T) {
	t.Parallel()
	const budget = 64 << 10 // less than the body
	content := bytes.Repeat([]byte("0123456789"), limit/10)
	opener := newOpener(t, budget)
	for encoding, sent := range map[string][]byte{"": content, "gzip": gzipped(t, content), "zstd": zstandard(t, content)} {
		if _, err := read(opener, encoding, bytes.NewReader(sent)); !errors.Is(err, inflight.ErrFull) {
			t.Errorf("encoding %q: a body that is kept: got %v", encoding, err)
		}
		r := httptest.NewRequest(http.MethodPost, "/events", bytes.NewReader(sent))
		r.Header.Set("Content-Encoding", encoding)
		b, err := opener.Open(httptest.NewRecorder(), r, streaming)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("encoding %q: %d bytes, %v", encoding, len(got), err)
		}
		// All but what every request is charged is free again, the decoder's part as well.
		const room = budget - 8<<10
		if err := b.Keep(room); err != nil {
			t.Errorf("encoding %q: keep %d bytes: %v", encoding, room, err)
		}
		if err := b.Keep(1); !errors.Is(err, inflight.ErrFull) {
			t.Errorf("encoding %q: keep one more: %v", encoding, err)
		}
		b.Free(10)
		if err := b.Keep(10); err != nil {
			t.Errorf("encoding %q: keep what was given back: %v", encoding, err)
		}
		b.Close()
	}
	long := httptest.NewRequest(http.MethodPost, "/events", bytes.NewReader(append(content, '!')))
	long.ContentLength = -1 // it does not say that it is too long
	b, err := opener.Open(httptest.NewRecorder(), long, streaming)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := io.ReadAll(b); !errs.Is(err, errs.TooLarge) {
		t.Errorf("one byte too many: got %v", err)
	}
}

func FuzzBody(f *testing.F) {
	opener := newOpener(f, 1<<30)
	f.Add("gzip", gzipped(f, []byte("{}")))
	f.Add("zstd", zstandard(f, []byte("{}")))
	f.Add("", []byte("{}"))
	f.Fuzz(func(t *testing.T, encoding string, sent []byte) {
		got, err := read(opener, encoding, bytes.NewReader(sent))
		if len(got) > limit {
			t.Fatalf("%d bytes came out of %d", len(got), len(sent))
		}
		if _, ok := errors.AsType[*errs.Error](err); err != nil && !ok {
			t.Fatalf("an error without a kind: %v", err)
		}
	})
}
