package httpserver_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/reply"
)

// prepared is a router that has the answers to /things/….
func prepared(t *testing.T, change func(*httpserver.RouterOptions)) (*httpserver.Router, *httpserver.Health) {
	t.Helper()
	registry := prometheus.NewRegistry()
	o := httpserver.RouterOptions{
		Config: httpserver.Config{AccessLog: "none"}, Logger: platformtest.Logger(t), Registerer: registry, Gatherer: registry,
		Health:         httpserver.NewHealth(platformtest.Logger(t)),
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())),
	}
	if change != nil {
		change(&o)
	}
	router := httpserver.NewRouter(o)
	answer := reply.New([]byte(`{"id":"7"}`), reply.Options{Tag: "1", CacheControl: "no-cache"})
	router.Ahead([]string{"/other", "/things/{id}"}, func(r *http.Request) (*reply.Reply, int) {
		if strings.HasPrefix(r.URL.Path, "/things/") {
			return answer, 1
		}
		return nil, 0
	})
	router.Get("/things/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	return router, o.Health
}

func ask(router http.Handler, r *http.Request, headers ...string) *httptest.ResponseRecorder {
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	router.ServeHTTP(w, r)
	return w
}

// TestPreparedAnswersLookLikeOthers checks what every answer has: an id, safe headers, metrics by route.
func TestPreparedAnswersLookLikeOthers(t *testing.T) {
	t.Parallel()
	router, _ := prepared(t, nil)
	get := func() *http.Request { return httptest.NewRequest(http.MethodGet, "/things/7", nil) }
	first, second := ask(router, get()), ask(router, get())
	if first.Code != http.StatusOK || first.Body.String() != `{"id":"7"}` || first.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %s %v", first.Code, first.Body, first.Header())
	}
	id := first.Header().Get("X-Request-Id")
	if len(id) != 26 || id == second.Header().Get("X-Request-Id") {
		t.Errorf("request ids %q and %q", id, second.Header().Get("X-Request-Id"))
	}
	if own := ask(router, get(), "X-Request-Id", "mine"); own.Header().Get("X-Request-Id") != "mine" {
		t.Errorf("the client's own id becomes %q", own.Header().Get("X-Request-Id"))
	}
	if again := ask(router, get(), "If-None-Match", `"1"`); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("%d %s", again.Code, again.Body)
	}
	metrics := ask(router, httptest.NewRequest(http.MethodGet, "/metrics", nil)).Body.String()
	for _, want := range []string{
		`hpa_http_request_duration_seconds_count{method="GET",route="/things/{id}",status="200"} 3`,
		`hpa_http_request_duration_seconds_count{method="GET",route="/things/{id}",status="304"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// TestRequestsThatNeedTheirHandler are routed although there is an answer.
func TestRequestsThatNeedTheirHandler(t *testing.T) {
	t.Parallel()
	router, health := prepared(t, nil)
	get := func() *http.Request { return httptest.NewRequest(http.MethodGet, "/things/7", nil) }
	for name, w := range map[string]*httptest.ResponseRecorder{
		"a body":    ask(router, httptest.NewRequest(http.MethodGet, "/things/7", strings.NewReader("x"))),
		"Expect":    ask(router, get(), "Expect", "100-continue"),
		"HEAD":      ask(router, httptest.NewRequest(http.MethodHead, "/things/7", nil)),
		"an escape": ask(router, httptest.NewRequest(http.MethodGet, "/things/%2F", nil)),
	} {
		if w.Code != http.StatusTeapot {
			t.Errorf("%s: status %d", name, w.Code)
		}
	}
	health.Drain()
	if w := ask(router, get()); w.Code != http.StatusTeapot || w.Header().Get("Connection") != "close" {
		t.Errorf("draining: status %d, Connection %q", w.Code, w.Header().Get("Connection"))
	}
}

// TestHealthIsAnsweredAhead holds the answer without routing against the one with it, which HEAD and draining need.
func TestHealthIsAnsweredAhead(t *testing.T) {
	t.Parallel()
	router, health := prepared(t, func(o *httpserver.RouterOptions) { o.Config.MaxRequestsPerAddress = 1 })
	get := func() *http.Request { return httptest.NewRequest(http.MethodGet, "/health", nil) }
	want := httptest.NewRecorder()
	router.Router.ServeHTTP(want, get())
	got := ask(router, get(), "If-None-Match", "*", "Accept-Encoding", "gzip")
	for _, w := range []*httptest.ResponseRecorder{want, got} {
		if len(w.Header().Get("X-Request-Id")) != 26 {
			t.Errorf("request id %q", w.Header().Get("X-Request-Id"))
		}
		w.Header().Del("X-Request-Id")
	}
	if diff := cmp.Diff(want.Header(), got.Header()); diff != "" || got.Code != http.StatusOK || got.Body.String() != want.Body.String() {
		t.Errorf("%d %s; header (-routed +ahead):\n%s", got.Code, got.Body, diff)
	}
	if want.Body.String() != "{\"status\":\"ok\"}\n" || want.Header().Get("Cache-Control") != "no-store" || want.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%s %v", want.Body, want.Header())
	}
	if head := ask(router, httptest.NewRequest(http.MethodHead, "/health", nil)); head.Code != http.StatusOK {
		t.Errorf("HEAD: status %d", head.Code)
	}
	health.Drain()
	if w := ask(router, get()); w.Code != http.StatusOK || w.Header().Get("Connection") != "close" {
		t.Errorf("draining: status %d, Connection %q", w.Code, w.Header().Get("Connection"))
	}
	metrics := ask(router, httptest.NewRequest(http.MethodGet, "/metrics", nil)).Body.String()
	if want := `hpa_http_request_duration_seconds_count{method="GET",route="/health",status="200"} 3`; !strings.Contains(metrics, want) {
		t.Errorf("the metrics lack %s", want)
	}
}

// TestPreparedAnswersAreTraced records a span when there is an exporter, as for any other answer.
func TestPreparedAnswersAreTraced(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	router, _ := prepared(t, func(o *httpserver.RouterOptions) {
		o.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	})
	const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	ask(router, httptest.NewRequest(http.MethodGet, "/things/7", nil), "Traceparent", "00-"+traceID+"-00f067aa0ba902b7-01")
	ended := spans.Ended()
	if len(ended) != 1 || ended[0].Name() != "GET /things/{id}" || ended[0].SpanContext().TraceID().String() != traceID {
		t.Errorf("spans %v", ended)
	}
	scrape := ask(router, httptest.NewRequest(http.MethodGet, "/metrics", nil), "Accept", "application/openmetrics-text;version=1.0.0")
	if !strings.Contains(scrape.Body.String(), `# {trace_id="`+traceID+`"}`) {
		t.Error("no bucket names the trace")
	}
}

// TestPreparedAnswersAllocateLittle bounds what comes on top of net/http: the request id and the list that it is in.
func TestPreparedAnswersAllocateLittle(t *testing.T) { //nolint:paralleltest // it measures the whole process
	router, _ := prepared(t, func(o *httpserver.RouterOptions) { o.Config.MaxRequestsPerAddress = 10 })
	for _, path := range []string{"/things/7", "/health"} {
		w, r := quiet{http.Header{}}, httptest.NewRequest(http.MethodGet, path, nil)
		if n := testing.AllocsPerRun(1000, func() { router.ServeHTTP(w, r) }); n > 2 {
			t.Errorf("%s: %.1f allocations", path, n)
		}
	}
}

// quiet is a ResponseWriter that costs nothing.
type quiet struct{ header http.Header }

func (q quiet) Header() http.Header         { return q.header }
func (q quiet) Write(p []byte) (int, error) { return len(p), nil }
func (q quiet) WriteHeader(int)             {}
