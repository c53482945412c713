package httpserver_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

func TestSpans(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	registry := prometheus.NewRegistry()
	router := httpserver.NewRouter(httpserver.RouterOptions{
		Config: httpserver.Config{AccessLog: "none", RequestTimeout: time.Minute}, Logger: platformtest.Logger(t),
		Registerer: registry, Gatherer: registry, Health: httpserver.NewHealth(platformtest.Logger(t)),
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)),
	})
	router.Get("/things/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	router.Get("/panic", func(http.ResponseWriter, *http.Request) { panic("boom") })

	const traceID, parentID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	r := httptest.NewRequest(http.MethodGet, "/things/7?secret=x", nil)
	r.Header.Set("Traceparent", "00-"+traceID+"-"+parentID+"-01")
	router.ServeHTTP(httptest.NewRecorder(), r)
	router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/panic", nil))

	ended := spans.Ended()
	if len(ended) != 2 {
		t.Fatalf("%d spans, want one for each request", len(ended))
	}
	first := ended[0]
	if first.Name() != "GET /things/{id}" || first.SpanContext().TraceID().String() != traceID || first.Parent().SpanID().String() != parentID {
		t.Errorf("span %q of trace %s, parent %s", first.Name(), first.SpanContext().TraceID(), first.Parent().SpanID())
	}
	got := map[string]string{}
	for _, a := range first.Attributes() {
		got[string(a.Key)] = a.Value.String()
	}
	want := map[string]string{
		"http.request.method": "GET", "http.route": "/things/{id}", "url.path": "/things/7", "http.response.status_code": "204",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if first.Status().Code != codes.Unset || ended[1].Status().Code != codes.Error {
		t.Errorf("status of a good answer %v, of a panic %v", first.Status().Code, ended[1].Status().Code)
	}
}

// TestExemplars checks that a traced request leaves the id of its trace beside its duration, and that one without a trace leaves
// none. Prometheus asks for OpenMetrics, which alone has exemplars.
func TestExemplars(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sampler sdktrace.Sampler
		want    bool
	}{"traced": {sdktrace.AlwaysSample(), true}, "not traced": {sdktrace.NeverSample(), false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spans := tracetest.NewSpanRecorder()
			registry := prometheus.NewRegistry()
			router := httpserver.NewRouter(httpserver.RouterOptions{
				Config: httpserver.Config{AccessLog: "none", RequestTimeout: time.Minute}, Logger: platformtest.Logger(t),
				Registerer: registry, Gatherer: registry, Health: httpserver.NewHealth(platformtest.Logger(t)),
				TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans), sdktrace.WithSampler(test.sampler)),
			})
			router.Get("/things/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
			router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/things/7", nil))
			scrape := httptest.NewRequest(http.MethodGet, "/metrics", nil)
			scrape.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
			answer := httptest.NewRecorder()
			router.ServeHTTP(answer, scrape)
			exemplar := regexp.MustCompile(`(?m)^hpa_http_request_duration_seconds_bucket\{method="GET",route="/things/\{id\}",status="204",le="[^"]+"\} 1 # \{trace_id="([0-9a-f]{32})"\}`)
			found := exemplar.FindStringSubmatch(answer.Body.String())
			if (found != nil) != test.want {
				t.Fatalf("exemplar %v in:\n%s", found, answer.Body)
			}
			if test.want && found[1] != spans.Ended()[0].SpanContext().TraceID().String() {
				t.Errorf("the exemplar names the trace %s, the request had %s", found[1], spans.Ended()[0].SpanContext().TraceID())
			}
		})
	}
}
