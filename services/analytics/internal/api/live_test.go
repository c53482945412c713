package api_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/hp-analytics/hp-analytics/internal/openapi/edge"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/api"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/live"
)

// ending are callers whose tokens expire together.
type ending struct {
	callers

	ended atomic.Bool
}

// Authenticate implements edge.Authenticator.
func (e *ending) Authenticate(ctx context.Context, header string) (authn.Principal, error) {
	if e.ended.Load() {
		return authn.Principal{}, authn.ErrNoCredentials
	}
	return e.callers.Authenticate(ctx, header)
}

// TestLiveEndsWithTheToken checks that a stream ends when its reader's token does, and that it outlives the deadline of requests.
func TestLiveEndsWithTheToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.project("shop", "UTC", "EUR")
	registry := prometheus.NewRegistry()
	w.server.Live = live.New(w.server.Reports.Live(), live.Limits{Viewers: 1, Project: 1}, platformtest.Logger(t), registry)
	w.server.Heartbeat = 10 * time.Millisecond
	platformtest.Go(t, w.server.Live.Run)
	router := httpserver.NewRouter(httpserver.RouterOptions{
		Config: httpserver.Config{AccessLog: "none", RequestTimeout: 5 * time.Second}, Logger: platformtest.Logger(t), Registerer: registry, Gatherer: registry,
		TracerProvider: noop.NewTracerProvider(), Health: httpserver.NewHealth(platformtest.Logger(t)),
	})
	authenticator := &ending{callers: w.callers}
	options := edge.Options{
		Authenticator: authenticator, Limits: map[string]edge.Limit{"analytics": edge.ChargedByHandler(), "shared": edge.ChargedByHandler()}, Prepared: api.Prepared(),
	}
	if err := edge.Mount(router, "analytics", options, w.server.Mount); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/analytics/live", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer shop")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK || answer.Header.Get("X-Accel-Buffering") != "no" {
		t.Fatalf("%s %v", answer.Status, answer.Header)
	}
	time.AfterFunc(6*time.Second, func() { authenticator.ended.Store(true) })
	all, err := io.ReadAll(answer.Body)
	if text := string(all); err != nil || !strings.Contains(text, ": still here\nid: ") || !strings.HasSuffix(text, "event: end\ndata: {\"code\":\"credentials\"}\n\n") {
		t.Errorf("%v, %q", err, text[max(0, len(text)-200):])
	}
}
