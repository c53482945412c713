// Package ratelimit limits how often something happens per key, across all replicas, with GCRA in Redis (redis_rate).
// Each process also counts what it grants by itself. While Redis is down or slow, that count alone decides, so one process
// never grants more than the quota, whatever Redis does.
package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
)

// maxLocalKeys bounds the memory of the local counts: about 20 MB.
const maxLocalKeys = 100_000

// Policy is a quota: Limit units per Window, of which Limit may come at once.
type Policy struct {
	Name   string // names the quota in the RateLimit headers and in Redis keys
	Limit  int
	Window time.Duration
	// Lease is how many units of a key a process may take from Redis in advance, so that not every request costs a round
	// trip. The key loses what the process does not use within leaseLife, so keep it small compared to Limit. 0 takes
	// nothing in advance.
	Lease int
}

// Quota is a quota of a key that has its own. The window is that of the policy.
type Quota struct {
	Limit int // units per window on average
	Burst int // units at once
	Lease int // as that of a policy
}

// keyOf returns the key under which a quota is counted: a quota that changes begins anew.
func (q Quota) keyOf(key string) string { return fmt.Sprintf("%s:%d:%d", key, q.Limit, q.Burst) }

// Limiter applies one policy. It is safe for concurrent use.
type Limiter struct {
	policy      Policy
	quota       Quota  // of keys without a quota of their own
	header      string // RateLimit-Policy
	quotedName  string
	client      *platformredis.Client
	redis       *redis_rate.Limiter
	local       *otter.Cache[string, *rate.Limiter]
	leases      *otter.Cache[string, *lease]
	outage      platformredis.Outage
	logger      *slog.Logger
	denied      prometheus.Counter
	unavailable prometheus.Counter
}

// New returns a limiter for policy. The counters are registered with a policy label.
func New(client *platformredis.Client, policy Policy, logger *slog.Logger, registerer prometheus.Registerer) *Limiter {
	labels := prometheus.Labels{"policy": policy.Name}
	l := &Limiter{
		policy:     policy,
		quota:      Quota{Limit: policy.Limit, Burst: policy.Limit, Lease: policy.Lease},
		quotedName: strconv.Quote(policy.Name),
		client:     client,
		redis:      redis_rate.NewLimiter(client),
		local: otter.Must(&otter.Options[string, *rate.Limiter]{
			MaximumSize: maxLocalKeys,
			// A limiter that was not used for so long is full again, so it can be dropped.
			ExpiryCalculator: otter.ExpiryAccessingFunc(func(entry otter.Entry[string, *rate.Limiter]) time.Duration {
				return max(policy.Window, durationFor(float64(entry.Value.Burst()), entry.Value.Limit()))
			}),
		}),
		leases: otter.Must(&otter.Options[string, *lease]{
			MaximumSize:      maxLocalKeys,
			ExpiryCalculator: otter.ExpiryAccessing[string, *lease](2 * leaseLife),
		}),
		logger: logger,
		denied: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_ratelimit_denied_total", Help: "Requests over their quota.", ConstLabels: labels,
		}),
		unavailable: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_ratelimit_redis_errors_total", Help: "Decisions made locally because Redis did not answer.", ConstLabels: labels,
		}),
	}
	registerer.MustRegister(l.denied, l.unavailable)
	l.header = l.policyHeader(l.quota)
	return l
}

// policyHeader returns the value of RateLimit-Policy.
func (l *Limiter) policyHeader(q Quota) string {
	return fmt.Sprintf("%q;q=%d;w=%d", l.policy.Name, q.Limit, seconds(l.policy.Window))
}

// Close stops the goroutines that remove expired keys.
func (l *Limiter) Close() {
	l.local.StopAllGoroutines()
	l.leases.StopAllGoroutines()
}

// Allow takes n units of key's quota and describes the quota in the answer's headers: RateLimit and RateLimit-Policy
// (draft-ietf-httpapi-ratelimit-headers). Over the quota it returns a TooMany error and takes nothing.
func (l *Limiter) Allow(ctx context.Context, header http.Header, key string, n int) error {
	return l.allow(ctx, header, key, n, l.quota, l.header)
}

// AllowOf is Allow for a key that has a quota of its own. A quota that changes begins anew: what was used up of the former one,
// which may take long to come back, is not held against the next.
func (l *Limiter) AllowOf(ctx context.Context, header http.Header, key string, n int, q Quota) error {
	return l.allow(ctx, header, q.keyOf(key), n, q, l.policyHeader(q))
}

func (l *Limiter) allow(ctx context.Context, header http.Header, key string, n int, q Quota, policy string) error {
	decision := l.take(ctx, key, n, q)
	header.Add("Ratelimit-Policy", policy)
	header.Add("Ratelimit", l.quotedName+";r="+strconv.Itoa(decision.remaining)+";t="+strconv.Itoa(seconds(decision.reset)))
	if decision.allowed {
		return nil
	}
	l.denied.Inc()
	return errs.New(errs.TooMany, "rate_limited",
		"The quota of "+strconv.Itoa(q.Limit)+" per "+unit(l.policy.Window)+" is used up.").After(decision.retry)
}

// unit returns how people say "per window".
func unit(window time.Duration) string {
	if window == time.Minute {
		return "minute"
	}
	if window == time.Hour {
		return "hour"
	}
	return window.String()
}

// decision is the outcome of one take.
type decision struct {
	allowed   bool
	remaining int
	reset     time.Duration // until the quota is full again
	retry     time.Duration // until n units are available again; only when not allowed
}

// take asks the count of this process first, and Redis about what that allows. The count of the process is a part of the
// quota, not one beside it: it is charged for every grant, and a recovered Redis cannot grant the same units again.
func (l *Limiter) take(ctx context.Context, key string, n int, q Quota) decision {
	local := l.takeLocal(key, n, q)
	if !local.allowed {
		return local
	}
	if l.outage.Ongoing() {
		l.unavailable.Inc()
		return local
	}
	d, err := l.takeLeased(ctx, key, n, q)
	switch {
	case err != nil && ctx.Err() != nil: // the client is gone, which says nothing about Redis
		return local
	case errors.Is(err, errAway):
		l.unavailable.Inc()
		return local
	case err != nil:
		l.outage.Begin()
		l.unavailable.Inc()
		l.logger.WarnContext(ctx, "rate limit without Redis", "policy", l.policy.Name, "err", err)
		return local
	case !d.allowed:
		l.bucket(key, q).AllowN(time.Now(), -n)
	default:
		d.remaining = min(d.remaining, local.remaining)
	}
	return d
}

// Refund gives back n units that Allow has taken, for limits on failures of attempts that turned out well. It may leave one
// unit taken, which comes back with time.
func (l *Limiter) Refund(ctx context.Context, key string, n int) { l.refund(ctx, key, n, l.quota) }

// RefundOf is Refund for a key that has a quota of its own.
func (l *Limiter) RefundOf(ctx context.Context, key string, n int, q Quota) {
	l.refund(ctx, q.keyOf(key), n, q)
}

func (l *Limiter) refund(ctx context.Context, key string, n int, q Quota) {
	l.bucket(key, q).AllowN(time.Now(), -n)
	if l.outage.Ongoing() {
		return
	}
	if _, err := l.takeRedis(ctx, key, -n, q); err != nil && ctx.Err() == nil {
		l.outage.Begin()
		l.logger.WarnContext(ctx, "refund a rate limit without Redis", "policy", l.policy.Name, "err", err)
	}
}

func (l *Limiter) takeRedis(ctx context.Context, key string, n int, q Quota) (decision, error) {
	limit := redis_rate.Limit{Rate: q.Limit, Burst: q.Burst, Period: l.policy.Window}
	name, err := l.client.Key(ctx, l.policy.Name+":"+key)
	if err != nil {
		return decision{}, err
	}
	result, err := l.redis.AllowN(ctx, name, limit, n)
	if err != nil {
		return decision{}, err
	}
	return decision{allowed: result.Allowed >= n, remaining: result.Remaining, reset: result.ResetAfter, retry: result.RetryAfter}, nil
}

// leaseLife is how long units taken in advance can be used.
const leaseLife = time.Second

var errAway = errors.New("another caller found Redis down")

// lease holds the units of a key that this process has taken in advance. Its mutex is held during the request to Redis, so
// concurrent callers of one key send one request.
type lease struct {
	mu    sync.Mutex
	left  int
	until time.Time
	last  decision // by Redis, for the headers
}

// takeLeased takes units from the lease. When the lease is used up it refills it from Redis, with more than n units if the
// quota has them.
func (l *Limiter) takeLeased(ctx context.Context, key string, n int, q Quota) (decision, error) {
	if q.Lease == 0 {
		return l.takeRedis(ctx, key, n, q)
	}
	held, _ := l.leases.ComputeIfAbsent(key, func() (*lease, bool) { return &lease{}, false })
	held.mu.Lock()
	defer held.mu.Unlock()
	now := time.Now()
	if now.After(held.until) {
		held.left = 0
	}
	if held.left < n && l.outage.Ongoing() {
		// The caller that held the mutex before us met an outage. Waiting for the same timeout again would help nobody.
		return decision{}, errAway
	}
	if held.left < n {
		for _, ahead := range []int{q.Lease, 0} {
			d, err := l.takeRedis(ctx, key, n-held.left+ahead, q)
			if err != nil {
				return decision{}, err
			}
			held.last = d
			if d.allowed {
				held.left, held.until = n+ahead, now.Add(leaseLife)
				break
			}
		}
	}
	d := held.last
	if d.allowed = held.left >= n; d.allowed {
		held.left -= n
	}
	d.remaining += held.left
	return d, nil
}

// bucket returns this process's own count of a key.
func (l *Limiter) bucket(key string, q Quota) *rate.Limiter {
	bucket, _ := l.local.ComputeIfAbsent(key, func() (*rate.Limiter, bool) {
		return rate.NewLimiter(l.perSecond(q), q.Burst), false
	})
	return bucket
}

func (l *Limiter) perSecond(q Quota) rate.Limit {
	return rate.Limit(float64(q.Limit) / l.policy.Window.Seconds())
}

// takeLocal decides by this process's own count. With r replicas a key gets up to r times its quota while Redis is down;
// that is better than refusing all requests.
func (l *Limiter) takeLocal(key string, n int, q Quota) decision {
	perSecond, bucket := l.perSecond(q), l.bucket(key, q)
	now := time.Now()
	d := decision{allowed: bucket.AllowN(now, n)}
	tokens := bucket.TokensAt(now)
	d.remaining = max(0, int(tokens))
	d.reset = durationFor(float64(q.Burst)-tokens, perSecond)
	if !d.allowed {
		d.retry = durationFor(float64(n)-tokens, perSecond)
	}
	return d
}

func durationFor(tokens float64, perSecond rate.Limit) time.Duration {
	return time.Duration(max(0, tokens) / float64(perSecond) * float64(time.Second))
}

func seconds(d time.Duration) int { return int(math.Ceil(max(0, d.Seconds()))) }
