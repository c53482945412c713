package ratelimit_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
)

// TestKeysWithAQuotaOfTheirOwn has two keys with different quotas in two processes, with Redis and without.
func TestKeysWithAQuotaOfTheirOwn(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	client := redistest.Client(t, server.Config())
	policy := ratelimit.Policy{Name: "test", Window: time.Hour}
	here := ratelimit.New(client, policy, platformtest.Logger(t), prometheus.NewRegistry())
	there := ratelimit.New(client, policy, platformtest.Logger(t), prometheus.NewRegistry())
	defer here.Close()
	defer there.Close()
	take := func(l *ratelimit.Limiter, key string, n int, q ratelimit.Quota) bool {
		t.Helper()
		header := http.Header{}
		err := l.AllowOf(t.Context(), header, key, n, q)
		if err != nil && !errs.Is(err, errs.TooMany) {
			t.Fatal(err)
		}
		if header.Get("RateLimit-Policy") == "" || header.Get("RateLimit") == "" {
			t.Errorf("headers %v", header)
		}
		return err == nil
	}
	small, large := ratelimit.Quota{Limit: 5, Burst: 10}, ratelimit.Quota{Limit: 50, Burst: 100, Lease: 5}
	if !take(here, "small", 6, small) || take(there, "small", 6, small) || !take(there, "small", 4, small) || take(here, "small", 1, small) {
		t.Error("two processes do not share the quota of a key")
	}
	if !take(here, "large", 50, large) || !take(there, "large", 40, large) || take(here, "large", 20, large) {
		t.Error("another key does not have its own quota")
	}
	// A quota that has changed holds at once, in what Redis counts and in what the process counts.
	if !take(here, "small", 5, ratelimit.Quota{Limit: 50, Burst: 100}) {
		t.Error("a larger quota of a key is not used")
	}
	server.Stop()
	if !take(here, "new", 10, small) || take(here, "new", 1, small) {
		t.Error("the quota of a key does not hold without Redis")
	}
}
