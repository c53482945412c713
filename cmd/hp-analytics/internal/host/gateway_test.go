package host

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/hp-analytics/hp-analytics/internal/openapi/openapitest"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// TestMetricsAreLocal asks for the metrics from this machine, from another, and from another through a proxy on this machine.
func TestMetricsAreLocal(t *testing.T) {
	t.Parallel()
	g, _ := newGateway(httpserver.Config{}, platformtest.Logger(t), prometheus.NewRegistry(), noop.NewTracerProvider(), nil)
	handler := openapitest.New(t).Handler(g)
	for name, test := range map[string]struct {
		address, header string
		status          int
	}{
		"this machine":         {"127.0.0.1:1", "", http.StatusOK},
		"this machine, IPv6":   {"[::1]:1", "", http.StatusOK},
		"another machine":      {"192.0.2.7:1", "", http.StatusForbidden},
		"a proxy":              {"127.0.0.1:1", "X-Forwarded-For", http.StatusForbidden},
		"a proxy, by RFC 7239": {"127.0.0.1:1", "Forwarded", http.StatusForbidden},
	} {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.RemoteAddr = test.address
		if test.header != "" {
			r.Header.Set(test.header, "for=192.0.2.7")
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != test.status {
			t.Errorf("%s: %d, want %d", name, w.Code, test.status)
		}
	}
}
