package httpserver_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// However many ask for the readiness, the checks run once a second, and the first one to ask may hang up.
func TestReadinessIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		health := httpserver.NewHealth(platformtest.Discard(), httpserver.Check{Name: "database", Run: func(ctx context.Context) error {
			runs.Add(1)
			time.Sleep(100 * time.Millisecond) //nolint:forbidigo // synctest
			return ctx.Err()
		}})
		ask := func(ctx context.Context) int {
			w := httptest.NewRecorder()
			health.ServeReady(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/ready", nil))
			return w.Code
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		var wg sync.WaitGroup
		wg.Go(func() { ask(gone) })
		synctest.Wait()
		for range 1000 {
			wg.Go(func() {
				if status := ask(t.Context()); status != http.StatusOK {
					t.Errorf("status %d", status)
				}
			})
		}
		wg.Wait()
		if n := runs.Load(); n != 1 {
			t.Errorf("1001 requests within a second ran the checks %d times", n)
		}
		time.Sleep(time.Second) //nolint:forbidigo // synctest
		if ask(t.Context()); runs.Load() != 2 {
			t.Errorf("a second later the checks have run %d times", runs.Load())
		}
		health.Drain()
		if status := ask(t.Context()); status != http.StatusServiceUnavailable {
			t.Errorf("draining: status %d", status)
		}
	})
}

// Requests whose body does not arrive count against their own network only: an IPv4 address, or an IPv6 /64.
func TestRequestsInProgressAreLimitedPerNetwork(t *testing.T) {
	t.Parallel()
	const limit = 3
	cfg := serverConfig()
	cfg.TrustedProxyHops, cfg.MaxRequestsPerAddress, cfg.AccessLog = 1, limit, "none"
	deps := platformtest.Deps(t)
	router := httpserver.NewRouter(httpserver.RouterOptions{
		Config: cfg, Logger: deps.Logger, Registerer: deps.Registerer, Gatherer: deps.Gatherer, TracerProvider: deps.TracerProvider,
		Health: httpserver.NewHealth(deps.Logger),
	})
	router.Share(func(header http.Header, r *http.Request) {
		header.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	})
	entered := make(chan struct{}, 2*limit)
	router.Post("/slow", func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		_, _ = io.ReadAll(r.Body)
	})
	send := func(client, method, path string, body io.Reader) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, path, body)
		r.Header.Set("X-Forwarded-For", client)
		r.Header.Set("Origin", "https://shop.example")
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r)
		return w
	}
	body, arrive := io.Pipe()
	var wg sync.WaitGroup
	for i := range limit { // three addresses of one /64
		wg.Go(func() { send("2001:db8::"+strconv.Itoa(i+1), http.MethodPost, "/slow", body) })
		<-entered
	}
	w := send("2001:db8::ffff:1", http.MethodPost, "/slow", http.NoBody)
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" || w.Header().Get("Connection") != "close" {
		t.Errorf("one more of the same network: %d %v", w.Code, w.Header())
	}
	if w.Header().Get("Access-Control-Allow-Origin") != "https://shop.example" {
		t.Error("a page may not read the refusal")
	}
	for client, path := range map[string]string{"2001:db8:0:1::1": "/slow", "192.0.2.1": "/slow"} {
		if w := send(client, http.MethodPost, path, http.NoBody); w.Code != http.StatusOK {
			t.Errorf("%s: %d", client, w.Code)
		}
	}
	if w := send("2001:db8::1", http.MethodGet, "/ready", nil); w.Code != http.StatusOK {
		t.Errorf("a probe: %d", w.Code)
	}
	_ = arrive.Close()
	wg.Wait()
	if w := send("2001:db8::1", http.MethodPost, "/slow", http.NoBody); w.Code != http.StatusOK {
		t.Errorf("after they have ended: %d", w.Code)
	}
}
