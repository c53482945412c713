package ratelimit_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
)

// counting counts the commands that a client sends.
type counting struct{ commands atomic.Int32 }

func (c *counting) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *counting) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if strings.HasPrefix(cmd.Name(), "eval") {
			c.commands.Add(1)
		}
		return next(ctx, cmd)
	}
}

func (c *counting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// TestLeasesSaveRoundTripsAndGrantNoMore lets two processes use up a quota at once.
func TestLeasesSaveRoundTripsAndGrantNoMore(t *testing.T) {
	t.Parallel()
	const limit, lease = 1000, 10
	client := redistest.Client(t, redistest.New(t))
	counter := &counting{}
	client.AddHook(counter)
	var replicas []*ratelimit.Limiter
	for range 2 {
		policy := ratelimit.Policy{Name: "test", Limit: limit, Window: time.Hour, Lease: lease}
		replicas = append(replicas, ratelimit.New(client, policy, platformtest.Logger(t), prometheus.NewRegistry()))
	}
	var allowed, denied atomic.Int32
	var wg sync.WaitGroup
	for i := range 2 * limit {
		wg.Go(func() {
			header := http.Header{}
			err := replicas[i%2].Allow(t.Context(), header, "key", 1)
			switch {
			case err == nil:
				allowed.Add(1)
			case errs.Is(err, errs.TooMany):
				denied.Add(1)
			default:
				t.Error(err)
			}
			if !strings.HasPrefix(header.Get("RateLimit"), `"test";r=`) {
				t.Errorf("RateLimit: %s", header.Get("RateLimit"))
			}
		})
	}
	wg.Wait()
	// What a replica holds and is not asked for within a second is lost; a slow machine may lose some leases.
	if n := allowed.Load(); n > limit || n < limit-20*lease {
		t.Errorf("%d were allowed of a quota of %d", n, limit)
	}
	// One for each lease, and one or two for each that was denied.
	if n := counter.commands.Load(); n > limit/lease+2*lease+2*denied.Load() {
		t.Errorf("%d round trips, %d denied", n, denied.Load())
	}
}

// TestALeaseIsNoLoan checks that a request larger than what is held ahead gets exactly what is left of the quota.
func TestALeaseIsNoLoan(t *testing.T) {
	t.Parallel()
	policy := ratelimit.Policy{Name: "test", Limit: 100, Window: time.Hour, Lease: 5}
	limiter := ratelimit.New(redistest.Client(t, redistest.New(t)), policy, platformtest.Logger(t), prometheus.NewRegistry())
	for i, n := range []int{1, 90, 10, 9, 1} {
		err := limiter.Allow(t.Context(), http.Header{}, "key", n)
		if want := i == 2 || i == 4; errs.Is(err, errs.TooMany) != want {
			t.Errorf("taking %d: %v, want denied %t", n, err, want)
		}
	}
}

// TestACrowdDoesNotWaitForRedisOneByOne lets many requests of one caller meet a Redis that takes commands and never answers.
func TestACrowdDoesNotWaitForRedisOneByOne(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	cfg := server.Config()
	cfg.Timeout = 200 * time.Millisecond
	policy := ratelimit.Policy{Name: "test", Limit: 1000, Window: time.Hour, Lease: 10}
	limiter := ratelimit.New(redistest.Client(t, cfg), policy, platformtest.Logger(t), prometheus.NewRegistry())
	server.Signal(syscall.SIGSTOP)
	defer server.Signal(syscall.SIGCONT)
	begin := time.Now()
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := limiter.Allow(t.Context(), http.Header{}, "key", 1); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(begin); took > 3*time.Second { // one of them waits, for a timeout and its retries
		t.Errorf("50 requests took %s", took)
	}
}
