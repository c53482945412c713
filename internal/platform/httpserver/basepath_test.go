package httpserver_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// TestPublishedUnderAPrefix serves behind a proxy that removes the prefix, and behind one that does not.
func TestPublishedUnderAPrefix(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		base, forwarded, target string
		hops                    int
		seen, location          string
	}{
		"no prefix":               {"", "", "/products", 0, "/products", "/products/1"},
		"kept by the proxy":       {"/shop/api", "", "/shop/api/products/a%2Fb?x=/shop/api", 0, "/products/a%2Fb", "/shop/api/products/1"},
		"named like a service":    {"/analytics", "", "/analytics/analytics/summary", 0, "/analytics/summary", "/analytics/products/1"},
		"a call inside":           {"/shop", "", "/auth/.well-known/jwks.json", 0, "/auth/.well-known/jwks.json", "/shop/products/1"},
		"another path":            {"/shop", "", "/shopping/products", 0, "/shopping/products", "/shop/products/1"},
		"the prefix alone":        {"/shop", "", "/shop", 0, "/", "/shop/products/1"},
		"removed by the proxy":    {"", "/analytics", "/analytics/summary", 1, "/analytics/summary", "/analytics/products/1"},
		"removed, and a base":     {"/api", "/shop", "/api/products", 1, "/products", "/shop/api/products/1"},
		"named by a client":       {"", "/evil", "/products", 0, "/products", "/products/1"},
		"prefix to another host":  {"", "//evil.example", "/products", 1, "/products", "/products/1"},
		"prefix with a traversal": {"", "/a/../b", "/products", 1, "/products", "/products/1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := serverConfig()
			cfg.BasePath, cfg.TrustedProxyHops = test.base, test.hops
			response := exchangeOnce(t, cfg, test.target, test.forwarded)
			if got := response.Header.Get("X-Seen"); got != test.seen {
				t.Errorf("the handler sees %s, want %s", got, test.seen)
			}
			if got := response.Header.Get("Location"); got != test.location {
				t.Errorf("Location %s, want %s", got, test.location)
			}
		})
	}
}

// exchangeOnce starts a server that answers 201, and sends one request.
func exchangeOnce(t *testing.T, cfg httpserver.Config, target, forwarded string) *http.Response {
	t.Helper()
	listener, err := httpserver.Listen(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Seen", r.URL.EscapedPath())
		w.Header().Set("Location", "/products/1")
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprint(w, "{}")
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- httpserver.Component(listener, cfg, handler, platformtest.Logger(t)).Run(ctx, func() {})
	}()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+listener.Addr().String()+target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if forwarded != "" {
		request.Header.Set("X-Forwarded-Prefix", forwarded)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return response
}

func TestBasePathIsChecked(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{"": true, "/a": true, "/a/b.c": true, "a": false, "/": false, "/a/": false, "/../a": false, "//a": false, "/a b": false} {
		cfg := serverConfig()
		cfg.BasePath = path
		if err := cfg.Validate(); (err == nil) != want {
			t.Errorf("%q: %v", path, err)
		}
	}
}
