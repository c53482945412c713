package ratelimit_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
)

// TestOneBudgetWhateverRedisDoes uses up a quota while Redis answers, then hangs, then answers again, then lost its data.
func TestOneBudgetWhateverRedisDoes(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	cfg := server.Config()
	cfg.Timeout = 200 * time.Millisecond
	client := redistest.Client(t, cfg)
	policy := ratelimit.Policy{Name: "test", Limit: 60, Window: 24 * time.Hour}
	limiter := ratelimit.New(client, policy, platformtest.Logger(t), prometheus.NewRegistry())
	t.Cleanup(limiter.Close)
	allowed := 0
	try := func(n int) {
		for range n {
			if limiter.Allow(t.Context(), http.Header{}, "key", 1) == nil {
				allowed++
			}
		}
	}
	try(20)
	server.Signal(syscall.SIGSTOP)
	try(60)
	if allowed != policy.Limit {
		t.Errorf("%d of %d were allowed while Redis hung", allowed, policy.Limit)
	}
	server.Signal(syscall.SIGCONT)
	platformtest.Eventually(t, time.Minute, "Redis answers again", func() bool { return client.FlushDB(t.Context()).Err() == nil })
	platformtest.Eventually(t, time.Minute, "the limiter asks Redis again", func() bool {
		_ = limiter.Allow(t.Context(), http.Header{}, rand.Text(), 1) // of a key whose quota is full
		return client.DBSize(t.Context()).Val() > 0
	})
	try(60)
	if allowed != policy.Limit {
		t.Errorf("%d of %d were allowed in all", allowed, policy.Limit)
	}
}

// TestTheAnswerNamesTheQuota reads what a caller over its quota is told.
func TestTheAnswerNamesTheQuota(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	for window, want := range map[time.Duration]string{
		time.Minute: "1 per minute is", time.Hour: "1 per hour is", 90 * time.Second: "1 per 1m30s is",
	} {
		policy := ratelimit.Policy{Name: window.String(), Limit: 1, Window: window}
		limiter := ratelimit.New(client, policy, platformtest.Logger(t), prometheus.NewRegistry())
		t.Cleanup(limiter.Close)
		if err := limiter.Allow(t.Context(), http.Header{}, "key", 1); err != nil {
			t.Fatal(err)
		}
		if err := limiter.Allow(t.Context(), http.Header{}, "key", 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", window, err)
		}
	}
}

// TestRefund gives back what was taken, with Redis and without.
func TestRefund(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	policy := ratelimit.Policy{Name: "test", Limit: 3, Window: 24 * time.Hour}
	limiter := ratelimit.New(redistest.Client(t, server.Config()), policy, platformtest.Logger(t), prometheus.NewRegistry())
	t.Cleanup(limiter.Close)
	for i := range 20 {
		if i == 10 {
			server.Stop()
		}
		if err := limiter.Allow(t.Context(), http.Header{}, "key", 1); err != nil {
			t.Fatalf("attempt %d after refunds of all before: %v", i, err)
		}
		limiter.Refund(t.Context(), "key", 1)
	}
}

// A request whose client is gone still takes its quota, also of a key that this process meets for the first time, and does not
// pass for an outage of Redis.
func TestTheClientIsGone(t *testing.T) {
	t.Parallel()
	for _, lease := range []int{0, 2} {
		registry := prometheus.NewRegistry()
		policy := ratelimit.Policy{Name: "test", Limit: 5, Window: 24 * time.Hour, Lease: lease}
		limiter := ratelimit.New(redistest.Client(t, redistest.New(t)), policy, platformtest.Logger(t), registry)
		t.Cleanup(limiter.Close)
		gone, end := context.WithCancel(t.Context())
		end()
		if err := limiter.Allow(gone, http.Header{}, "key", 4); err != nil {
			t.Errorf("within the quota: %v", err)
		}
		if err := limiter.Allow(t.Context(), http.Header{}, "key", 2); err == nil {
			t.Error("the ended request took nothing")
		}
		limiter.Refund(gone, "key", 1)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if n := f.GetMetric()[0].GetCounter().GetValue(); f.GetName() == "hpa_ratelimit_redis_errors_total" && n != 0 {
				t.Errorf("lease %d: %v decisions without Redis", lease, n)
			}
		}
	}
}
