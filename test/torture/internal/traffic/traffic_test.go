package traffic_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/ledger"
	"github.com/hp-analytics/hp-analytics/test/torture/internal/traffic"
)

// platform refuses the first attempt of a request, drops the connection of the second, and accepts the third as new. It
// stores nothing.
type platform struct {
	mu   sync.Mutex
	seen map[string]int // bodies
}

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Authorization") != "Bearer key" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	p.mu.Lock()
	p.seen[string(body)]++
	n := p.seen[string(body)]
	p.mu.Unlock()
	switch n {
	case 1:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"code":"overloaded"}`))
	case 2:
		panic(http.ErrAbortHandler) // drops the connection
	default:
		w.WriteHeader(http.StatusAccepted)
		_ = json.NewEncoder(w).Encode(ledger.BulkAnswer{Accepted: strings.Count(string(body), `"id"`)})
	}
}

// TestBurstIsSentUntilItIsAcknowledged refuses each request once, loses its answer once, and accepts it the third time.
func TestBurstIsSentUntilItIsAcknowledged(t *testing.T) {
	t.Parallel()
	p := &platform{seen: map[string]int{}}
	server := httptest.NewServer(p)
	defer server.Close()
	l := ledger.New()
	clients := traffic.New(traffic.Options{URL: server.URL, Key: "key", Seed: 1, Begin: begin, Products: products}, l)
	clients.Burst(t.Context(), 1, 5, 1)
	if len(p.seen) != 5 {
		t.Errorf("%d different requests", len(p.seen))
	}
	for what, want := range map[string]int{"requests": 15, "retries": 10, "503 overloaded": 5, "lost connections": 5, "acknowledged": 5} {
		if got := clients.Count(what); got != want {
			t.Errorf("%d %s, want %d", got, what, want)
		}
	}
	if a := l.Account(); len(a.Problems) > 0 {
		t.Error(a.Problems)
	}
}

// TestClientsStop ends one run at a platform that never accepts anything, and another in order.
func TestClientsStop(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const clientCount = 3
	var received atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if received.Add(1) == 2*clientCount { // by now the clients have recorded at least clientCount answers
			cancel()
		}
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`{"code":"internal"}`))
	}))
	defer server.Close()
	l := ledger.New()
	clients := traffic.New(traffic.Options{URL: server.URL, Seed: 1, Begin: begin, Products: products}, l)
	clients.Run(ctx, clientCount, make(chan struct{}))
	if a := l.Account(); len(a.Problems) < clientCount || len(a.Events)+len(a.Purchases) > 0 {
		t.Errorf("acknowledged %d events and %d purchases, with these problems: %v", len(a.Events), len(a.Purchases), a.Problems)
	}
	stop := make(chan struct{})
	close(stop)
	clients.Run(t.Context(), clientCount, stop)
}
