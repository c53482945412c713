package traffic

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/ledger"
)

// Options say who sends what to whom.
type Options struct {
	URL      string // of ingest
	Key      string // an API key
	Seed     uint64
	Begin    time.Time
	Products []Product
}

// Traffic is all clients of a run.
type Traffic struct {
	url, key string
	options  Options
	ledger   *ledger.Ledger
	stats    stats
}

// New returns clients that keep their account in l.
func New(o Options, l *ledger.Ledger) *Traffic {
	return &Traffic{url: o.URL, key: o.Key, options: o, ledger: l, stats: stats{counts: map[string]int{}}}
}

// firstBurst numbers the clients of bursts, beyond those of Run.
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

// client sends one request after the other over connections of its own.
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

// Burst sends a number of bulk requests all at once, and returns when they are acknowledged or ctx ends. Different numbers
// are different bursts.
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

// Counts returns what has happened so far, by name.
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
