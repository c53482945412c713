package cluster_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// load sends requests of all kinds at a modest rate. It tests that every request succeeds, not the throughput.
type load struct {
	platform platform
	shop     shop

	mu       sync.Mutex
	sent     map[string]int // requests by kind
	events   int            // in successful requests
	failures []string
}

// request is one kind of traffic.
type request struct {
	kind, method, path, token string
	body                      any
	events                    int
	want                      int
}

const (
	// senders and pace amount to about 100 requests per second.
	senders = 6
	pace    = 60 * time.Millisecond
)

// underLoad runs fn while requests of all kinds are sent, and returns what was sent. Requests are not retried, because a retry
// would hide the failures that the test looks for. That is also why the load does not use the Go client.
func underLoad(t *testing.T, p platform, s shop, fn func()) *load {
	t.Helper()
	p.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	l := &load{platform: p, shop: s, sent: map[string]int{}}
	ctx, stop := context.WithCancel(t.Context())
	defer stop() // fn may end the test
	var group sync.WaitGroup
	for first := range senders {
		group.Go(func() { l.send(ctx, first) })
	}
	fn()
	stop()
	group.Wait()
	return l
}

func (l *load) send(ctx context.Context, first int) {
	kinds := l.kinds()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for i := first; ; i++ {
		select {
		case <-tick.C:
			l.one(context.WithoutCancel(ctx), kinds[i%len(kinds)])
		case <-ctx.Done():
			return
		}
	}
}

// kinds holds one request to each service, and one of each kind to ingest.
func (l *load) kinds() []request {
	event := map[string]any{"type": "view", "sku": l.shop.sku, "user_id": "somebody"}
	day := time.Now().UTC().Format(time.DateOnly)
	return []request{
		{kind: "event", method: http.MethodPost, path: "/events", token: l.shop.key, body: event, events: 1, want: http.StatusAccepted},
		{
			kind: "bulk", method: http.MethodPost, path: "/events/bulk", token: l.shop.key,
			body: map[string]any{"events": slices.Repeat([]map[string]any{event}, 20)}, events: 20, want: http.StatusAccepted,
		},
		{
			kind: "purchase", method: http.MethodPost, path: "/purchases", token: l.shop.key,
			body: map[string]any{"sku": l.shop.sku, "quantity": 1, "user_id": "somebody"}, want: http.StatusCreated,
		},
		{kind: "product", method: http.MethodGet, path: "/products/" + l.shop.productID, token: l.shop.token, want: http.StatusOK},
		{kind: "account", method: http.MethodGet, path: "/auth/me", token: l.shop.token, want: http.StatusOK},
		{kind: "ranking", method: http.MethodGet, path: "/analytics/products/top?metric=views&from=" + day + "&to=" + day, token: l.shop.key, want: http.StatusOK},
	}
}

func (l *load) one(ctx context.Context, r request) {
	err := l.platform.call(ctx, r.method, r.path, r.token, r.body, nil, r.want)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[r.kind]++
	if err != nil {
		l.failures = append(l.failures, fmt.Sprintf("%s %s: %v", time.Now().UTC().Format("15:04:05.000"), r.kind, err))
		return
	}
	l.events += r.events
}

// flawless logs what was sent and fails the test for every request that did not succeed.
func (l *load) flawless(t *testing.T, during string) {
	t.Helper()
	total := 0
	for _, n := range l.sent {
		total += n
	}
	t.Logf("%s: %d requests sent %v, %d failed", during, total, l.sent, len(l.failures))
	if total < 100 {
		t.Errorf("only %d requests: that shows nothing", total)
	}
	for _, failure := range l.failures[:min(len(l.failures), 20)] {
		t.Error(failure)
	}
	if len(l.failures) > 0 {
		t.Errorf("%d of %d requests failed", len(l.failures), total)
	}
}
