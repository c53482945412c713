package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

func TestWriteMapsKindsToStatuses(t *testing.T) {
	t.Parallel()
	cases := map[errs.Kind]int{
		errs.Malformed: 400, errs.Unauthenticated: 401, errs.Forbidden: 403, errs.NotFound: 404, errs.Conflict: 409,
		errs.Stale: 412, errs.TooLarge: 413, errs.UnsupportedMedia: 415, errs.Invalid: 422, errs.TooMany: 429,
		errs.Internal: 500, errs.Unavailable: 503,
	}
	for kind, want := range cases {
		w := httptest.NewRecorder()
		wrapped := fmt.Errorf("doing: %w", errs.New(kind, "some_code", "Some detail."))
		problem.Write(w, httptest.NewRequest(http.MethodGet, "/", nil), wrapped)
		if w.Code != want || problem.Status(wrapped) != want {
			t.Errorf("%s: status %d, want %d", kind, w.Code, want)
		}
		if got := w.Header().Get("Content-Type"); got != problem.ContentType {
			t.Errorf("%s: content type %q", kind, got)
		}
		wantRetry := kind == errs.TooMany || kind == errs.Unavailable
		if got := w.Header().Get("Retry-After"); (got != "") != wantRetry {
			t.Errorf("%s: Retry-After %q", kind, got)
		}
	}
}

func TestWriteDocument(t *testing.T) {
	t.Parallel()
	traceID, _ := trace.TraceIDFromHex("0af7651916cd43dd8448eb211c80319c")
	spanID, _ := trace.SpanIDFromHex("b7ad6b7169203331")
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID}))
	var recorder problem.Recorder
	r := httptest.NewRequest(http.MethodPost, "/", nil).WithContext(problem.WithRecorder(ctx, &recorder))
	w := httptest.NewRecorder()
	w.Header().Set("ETag", `"1"`)
	cause := errors.New("connection refused by 10.0.0.1")
	err := errs.New(errs.TooMany, "rate_limited", "Slow down.", errs.Field{Pointer: "/a", Code: "b", Detail: "c"}).
		Because(cause).After(1500 * time.Millisecond)

	problem.Write(w, r, err)

	want := problem.Document{
		Type: "https://hp-analytics.dev/problems/rate_limited", Title: "Too Many Requests", Status: 429, Code: "rate_limited",
		Detail: "Slow down.", Errors: []errs.Field{{Pointer: "/a", Code: "b", Detail: "c"}}, TraceID: traceID.String(),
	}
	var got problem.Document
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if w.Header().Get("Retry-After") != "2" {
		t.Errorf("Retry-After = %q, want whole seconds rounded up", w.Header().Get("Retry-After"))
	}
	if w.Header().Get("ETag") != "" {
		t.Error("an error must not carry the ETag of the thing")
	}
	if !errors.Is(recorder.Err, cause) {
		t.Errorf("the recorder has %v, want the cause for the log", recorder.Err)
	}
}

func TestWriteHidesInternalErrors(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	problem.Write(w, httptest.NewRequest(http.MethodGet, "/", nil), errors.New("password=hush"))
	if w.Code != 500 || strings.Contains(w.Body.String(), "hush") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestWriteReportsTooLargeBodies(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	problem.Write(w, httptest.NewRequest(http.MethodGet, "/", nil), fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 10}))
	if w.Code != 413 {
		t.Errorf("status %d, want 413", w.Code)
	}
}

// TestWriteKeepsAngleBrackets writes a detail as people are to read it.
func TestWriteKeepsAngleBrackets(t *testing.T) {
	t.Parallel()
	_, body := problem.Encode(errs.New(errs.Unauthenticated, "invalid_authorization", "Bearer <token>"))
	if !strings.Contains(string(body), `"detail":"Bearer <token>"`) {
		t.Errorf("the body is %s", body)
	}
}
