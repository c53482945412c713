package traffic

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/ledger"
)

// Options configure the clients.
type Options struct {
	URL      string // of ingest
	Key      string // an API key
	Seed     uint64
	Begin    time.Time
	Products []Product
}

// Traffic is the set of all clients of a run.
type Traffic struct {
	url, key string
	options  Options
	ledger   *ledger.Ledger
	stats    stats
}

// New returns clients that record what they do in l.
func New(o Options, l *ledger.Ledger) *Traffic {
	return &Traffic{url: o.URL, key: o.Key, options: o, ledger: l, stats: stats{counts: map[string]int{}}}
}

// firstBurst is the number of the first client of bursts; the clients of Run have lower ones.
const firstBurst = 1 << 32

// Run sends with a number of clients until stop is closed, and returns when everything is acknowledged or ctx ends.
func (t *Traffic) Run(ctx context.Context, clients int, stop <-chan struct{}) {
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			t.client(ctx, NewGenerator(t.options.Seed, uint64(i), t.options.Begin, t.options.Products), stop)
		})
	}
	wg.Wait()
}

// client sends one request after another over its own connections.
func (t *Traffic) client(ctx context.Context, g *Generator, stop <-chan struct{}) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for ctx.Err() == nil {
		select {
		case <-stop:
			return
		default:
		}
		r := g.Next()
		var wg sync.WaitGroup
		if r.Twice {
			wg.Go(func() { t.deliver(ctx, client, &r) })
		}
		t.deliver(ctx, client, &r)
		wg.Wait()
		wait(ctx, r.Pause)
	}
}

// Burst sends a number of bulk requests concurrently, and returns when they are acknowledged or ctx ends. Different numbers
// send different events.
func (t *Traffic) Burst(ctx context.Context, number, requests, size int) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	g := NewGenerator(t.options.Seed, firstBurst+uint64(number), t.options.Begin, t.options.Products)
	var wg sync.WaitGroup
	for range requests {
		r := g.Bulk(size)
		wg.Go(func() { t.deliver(ctx, client, &r) })
	}
	wg.Wait()
}

// Counts returns the counts so far, by name.
func (t *Traffic) Counts() map[string]int {
	t.stats.mu.Lock()
	defer t.stats.mu.Unlock()
	return maps.Clone(t.stats.counts)
}

// Count returns one of Counts.
func (t *Traffic) Count(name string) int {
	t.stats.mu.Lock()
	defer t.stats.mu.Unlock()
	return t.stats.counts[name]
}

type stats struct {
	mu     sync.Mutex
	counts map[string]int
}

func (s *stats) add(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[name]++
}
