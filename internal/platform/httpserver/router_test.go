package httpserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// fixture is a router with some routes, and what it logged.
type fixture struct {
	chi.Router
	log    *bytes.Buffer
	health *httpserver.Health
}

func newFixture(t *testing.T, change func(*httpserver.Config), checks ...httpserver.Check) *fixture {
	t.Helper()
	cfg := httpserver.Config{RequestTimeout: time.Minute, AccessLog: "all"}
	if change != nil {
		change(&cfg)
	}
	f := &fixture{log: new(bytes.Buffer)}
	logger := slog.New(slog.NewJSONHandler(f.log, nil))
	f.health = httpserver.NewHealth(logger, checks...)
	registry := prometheus.NewRegistry()
	f.Router = httpserver.NewRouter(httpserver.RouterOptions{
		Config: cfg, Logger: logger, Registerer: registry, Gatherer: registry, Health: f.health,
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())),
	})
	f.Get("/things/{id}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, chi.URLParam(r, "id")+" "+httpserver.ClientAddress(r.Context()).String())
	})
	f.Delete("/things/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	f.Get("/panic", func(http.ResponseWriter, *http.Request) { panic("boom") })
	f.Get("/late-panic", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half an ans")
		panic("boom")
	})
	f.Get("/broken", func(w http.ResponseWriter, r *http.Request) { problem.Write(w, r, errors.New("secret cause")) })
	f.Get("/slow", func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		problem.Write(w, r, errs.New(errs.Unavailable, "too_slow", "Too slow.").Because(r.Context().Err()))
	})
	return f
}

func (f *fixture) do(method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

func decodeProblem(t *testing.T, w *httptest.ResponseRecorder) problem.Document {
	t.Helper()
	var doc problem.Document
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return doc
}

func TestUnknownPathAndMethodAreProblems(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	w := f.do(http.MethodGet, "/nowhere")
	if doc := decodeProblem(t, w); w.Code != 404 || doc.Code != "no_such_path" || len(doc.TraceID) != 32 {
		t.Errorf("%d %+v", w.Code, doc)
	}
	w = f.do(http.MethodPost, "/things/1")
	if doc := decodeProblem(t, w); w.Code != 405 || doc.Code != "method_not_allowed" {
		t.Errorf("%d %+v", w.Code, doc)
	}
	if diff := cmp.Diff([]string{"GET", "HEAD", "DELETE"}, w.Header().Values("Allow")); diff != "" {
		t.Errorf("Allow (-want +got):\n%s", diff)
	}
}

func TestHeadIsAnsweredWhereGetIs(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newFixture(t, nil))
	defer server.Close()
	for path, want := range map[string]int{"/health": 200, "/metrics": 200, "/things/1": 200, "/nowhere": 404} {
		answers := map[string]*http.Response{}
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			answers[method] = response
		}
		head := answers[http.MethodHead]
		if body, err := io.ReadAll(head.Body); head.StatusCode != want || len(body) > 0 || err != nil {
			t.Errorf("HEAD %s: status %d, %d bytes, %v; want %d without a body", path, head.StatusCode, len(body), err, want)
		}
		if get := answers[http.MethodGet]; get.StatusCode != want || get.Header.Get("Content-Type") != head.Header.Get("Content-Type") {
			t.Errorf("%s: GET %d %v, HEAD %d %v", path, get.StatusCode, get.Header, head.StatusCode, head.Header)
		}
	}
}

func TestPanicsBecomeProblems(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	w := f.do(http.MethodGet, "/panic")
	if w.Code != 500 || strings.Contains(w.Body.String(), "boom") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(f.log.String(), "boom") || !strings.Contains(f.log.String(), "router_test.go") {
		t.Errorf("the log lacks the cause or the stack:\n%s", f.log)
	}
	// Once the answer has begun, the client must see that it is cut.
	server := httptest.NewServer(f)
	defer server.Close()
	resp, err := http.Get(server.URL + "/late-panic")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("half an answer looked whole")
	}
	if metrics := f.do(http.MethodGet, "/metrics").Body.String(); !strings.Contains(metrics, `route="/late-panic",status="500"`) {
		t.Error("the cut answer is not counted as a failure")
	}
	if n := strings.Count(f.log.String(), "boom"); n < 2 {
		t.Errorf("the log names %d causes, want that of the cut answer too:\n%s", n, f.log)
	}
}

func TestAnswersAreNoPages(t *testing.T) {
	t.Parallel()
	w := newFixture(t, nil).do(http.MethodGet, "/health")
	if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("X-Content-Type-Options: %q", got)
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	if got := f.do(http.MethodGet, "/things/1", "X-Request-Id", "mine-1").Header().Get("X-Request-Id"); got != "mine-1" {
		t.Errorf("a sane id became %q", got)
	}
	for _, bad := range []string{"", "has space", "new\nline", strings.Repeat("x", 65)} {
		if got := f.do(http.MethodGet, "/things/1", "X-Request-Id", bad).Header().Get("X-Request-Id"); got == bad || got == "" {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

func TestEachRequestIsLoggedOnceWithItsError(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	w := f.do(http.MethodGet, "/broken", "Authorization", "Bearer hush", "X-Request-Id", "req-7")
	if strings.Contains(w.Body.String(), "secret cause") {
		t.Error("the cause left the process")
	}
	var record map[string]any
	if err := json.Unmarshal(f.log.Bytes(), &record); err != nil {
		t.Fatalf("not exactly one line: %v\n%s", err, f.log)
	}
	for key, want := range map[string]any{
		"level": "ERROR", "method": "GET", "route": "/broken", "status": 500.0, "request_id": "req-7", "err": "secret cause",
	} {
		if record[key] != want {
			t.Errorf("%s = %v, want %v", key, record[key], want)
		}
	}
	if strings.Contains(f.log.String(), "hush") {
		t.Error("credentials in the log")
	}
}

func TestAccessLogChoices(t *testing.T) {
	t.Parallel()
	for which, want := range map[string]int{"all": 2, "errors": 1, "none": 0} {
		f := newFixture(t, func(c *httpserver.Config) { c.AccessLog = which })
		f.do(http.MethodGet, "/things/1")
		f.do(http.MethodGet, "/nowhere")
		if got := strings.Count(f.log.String(), "\n"); got != want {
			t.Errorf("%s: %d lines, want %d", which, got, want)
		}
	}
}

func TestMetricsUseRouteTemplates(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.do(http.MethodGet, "/things/secret-id")
	f.do(http.MethodGet, "/made/up")
	f.do("BREW", "/things/1")
	metrics := f.do(http.MethodGet, "/metrics").Body.String()
	for _, want := range []string{
		`hpa_http_request_duration_seconds_count{method="GET",route="/things/{id}",status="200"} 1`,
		`hpa_http_request_duration_seconds_count{method="GET",route="unmatched",status="404"} 1`,
		`method="other"`,
		`hpa_http_requests_in_flight 1`, // the scrape itself
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	for _, unwanted := range []string{"secret-id", "made/up", "BREW"} {
		if strings.Contains(metrics, unwanted) {
			t.Errorf("a client's %q made a label", unwanted)
		}
	}
}

func TestHandlersHaveADeadline(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *httpserver.Config) { c.RequestTimeout = time.Millisecond })
	if w := f.do(http.MethodGet, "/slow"); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	const forwarded = "6.6.6.6, 203.0.113.9, 10.0.0.2"
	cases := []struct {
		hops int
		want string
	}{
		{0, "192.0.2.1"},   // the header is anybody's word
		{1, "10.0.0.2"},    // what our proxy saw
		{2, "203.0.113.9"}, // what the proxy before it saw
		{9, "192.0.2.1"},   // shorter than it must be: not from our proxies
	}
	for _, c := range cases {
		f := newFixture(t, func(cfg *httpserver.Config) { cfg.TrustedProxyHops = c.hops })
		if got := f.do(http.MethodGet, "/things/x", "X-Forwarded-For", forwarded).Body.String(); got != "x "+c.want {
			t.Errorf("%d hops: %q, want %q", c.hops, got, c.want)
		}
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testReadiness)
}

func testReadiness(t *testing.T) {
	var database, redis error
	f := newFixture(t, nil,
		httpserver.Check{Name: "database", Run: func(context.Context) error { return database }},
		httpserver.Check{Name: "redis", Optional: true, Run: func(context.Context) error { return redis }},
	)
	probe := func(wantStatus int, want httpserver.Readiness) {
		t.Helper()
		time.Sleep(time.Second) //nolint:forbidigo // synctest: a result is shared for that long
		w := f.do(http.MethodGet, "/ready")
		var got httpserver.Readiness
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); w.Code != wantStatus || diff != "" {
			t.Errorf("%d, want %d (-want +got):\n%s", w.Code, wantStatus, diff)
		}
	}
	probe(200, httpserver.Readiness{Status: "ready", Checks: map[string]string{"database": "ok", "redis": "ok"}})
	if got := f.do(http.MethodGet, "/things/1").Header().Get("Connection"); got != "" {
		t.Errorf("Connection: %s, though the service stays", got)
	}
	redis = errors.New("away")
	probe(200, httpserver.Readiness{Status: "ready", Checks: map[string]string{"database": "ok", "redis": "degraded"}})
	database = errors.New("password=hush")
	probe(503, httpserver.Readiness{Status: "unready", Checks: map[string]string{"database": "unavailable", "redis": "degraded"}})
	database, redis = nil, nil
	f.health.Drain()
	probe(503, httpserver.Readiness{Status: "draining", Checks: map[string]string{}})
	if w := f.do(http.MethodGet, "/health"); w.Code != 200 {
		t.Errorf("/health = %d: draining is alive", w.Code)
	}
	if w := f.do(http.MethodGet, "/things/1"); w.Code != 200 || w.Header().Get("Connection") != "close" {
		t.Errorf("while draining: %d, Connection %q: a proxy would send its next request into a closed connection", w.Code, w.Header().Get("Connection"))
	}
}

func TestReadinessLogsChangesOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testReadinessLogsChangesOnly)
}

func testReadinessLogsChangesOnly(t *testing.T) {
	var failure error
	f := newFixture(t, func(c *httpserver.Config) { c.AccessLog = "none" },
		httpserver.Check{Name: "database", Run: func(context.Context) error { return failure }})
	failure = errors.New("away")
	for range 3 {
		f.do(http.MethodGet, "/ready")
		time.Sleep(time.Second) //nolint:forbidigo // synctest: a result is shared for that long
	}
	failure = nil
	for range 3 {
		f.do(http.MethodGet, "/ready")
		time.Sleep(time.Second) //nolint:forbidigo // synctest: a result is shared for that long
	}
	if got := strings.Count(f.log.String(), "\n"); got != 2 {
		t.Errorf("%d lines, want one for each change:\n%s", got, f.log)
	}
}
