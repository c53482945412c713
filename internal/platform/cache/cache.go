// Package cache keeps ready-made answers: in this process (bounded bytes, short life) in front of Redis in front of
// whatever computes them, with one computation per key at a time.
//
// An answer is never older than its invalidation plus the in-process life. There are two ways to invalidate. Keys may
// contain a version token, so that a change makes new keys and the old ones are never asked for again; or entries carry
// a version number and Put replaces older ones everywhere, and a slow reader cannot put an old one back.
package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
)

// loadTimeout bounds one computation. It does not end with the request that started it, because others wait for it.
const loadTimeout = 15 * time.Second

// entryOverhead is added to each entry's own bytes when the in-process memory is bounded.
const entryOverhead = 200

// Options describe a cache.
type Options struct {
	Name     string        // prefixes the Redis keys and labels the metrics
	LocalTTL time.Duration // life in this process: the staleness that invalidation cannot shorten on other replicas
	RedisTTL time.Duration // life in Redis: the staleness when an invalidation is lost
	MaxBytes uint64        // bound of the in-process part
}

// Entry is a cached answer.
type Entry struct {
	Version int64 // of the underlying thing; 0 where keys carry a token instead
	Body    []byte
}

// Source tells where an answer came from.
type Source string

// The sources, as they appear in the metrics.
const (
	FromProcess Source = "process"
	FromRedis   Source = "redis"
	Computed    Source = "miss"
)

// Cache is safe for concurrent use.
type Cache struct {
	options  Options
	redis    redis.UniversalClient
	outage   platformredis.Outage
	local    *otter.Cache[string, Entry]
	logger   *slog.Logger
	requests *prometheus.CounterVec
	failures prometheus.Counter
}

// New returns a cache that uses client as long as it answers.
func New(options Options, client redis.UniversalClient, logger *slog.Logger, registerer prometheus.Registerer) *Cache {
	labels := prometheus.Labels{"cache": options.Name}
	c := &Cache{
		options: options,
		redis:   client,
		local: otter.Must(&otter.Options[string, Entry]{
			MaximumWeight:    options.MaxBytes,
			Weigher:          func(key string, e Entry) uint32 { return uint32(len(key) + len(e.Body) + entryOverhead) },
			ExpiryCalculator: otter.ExpiryWriting[string, Entry](options.LocalTTL),
		}),
		logger: logger,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hpa_cache_requests_total", Help: "Look-ups by where the answer came from.", ConstLabels: labels,
		}, []string{"source"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_cache_redis_errors_total", Help: "Redis commands of the cache that failed.", ConstLabels: labels,
		}),
	}
	registerer.MustRegister(c.requests, c.failures)
	return c
}

// Close stops the goroutine that removes expired entries.
func (c *Cache) Close() { c.local.StopAllGoroutines() }

// Get returns the entry of key, computing it with load when no cache has it. Errors are load's own and not cached.
func (c *Cache) Get(ctx context.Context, key string, load func(ctx context.Context) (Entry, error)) (Entry, Source, error) {
	source := FromProcess
	entry, err := c.local.Get(ctx, key, otter.LoaderFunc[string, Entry](func(ctx context.Context, key string) (Entry, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		if found, ok := c.fromRedis(ctx, key); ok {
			source = FromRedis
			return found, nil
		}
		source = Computed
		computed, err := load(ctx)
		if err == nil {
			c.toRedis(ctx, key, computed)
		}
		return computed, err
	}))
	c.requests.WithLabelValues(string(source)).Inc()
	return entry, source, err
}

// Put makes e the entry of key after a change, unless a newer version is already there.
func (c *Cache) Put(ctx context.Context, key string, e Entry) {
	c.local.Compute(key, func(old Entry, found bool) (Entry, otter.ComputeOp) {
		if found && old.Version > e.Version {
			return old, otter.CancelOp
		}
		return e, otter.WriteOp
	})
	c.toRedis(ctx, key, e)
}

// redisKey names the hash {v: version, b: body} of key.
func (c *Cache) redisKey(key string) string { return "hpa:" + c.options.Name + ":" + key }

func (c *Cache) fromRedis(ctx context.Context, key string) (Entry, bool) {
	if c.outage.Ongoing() {
		return Entry{}, false
	}
	fields, err := c.redis.HMGet(ctx, c.redisKey(key), "v", "b").Result()
	if err != nil {
		c.failed(ctx, "read", err)
		return Entry{}, false
	}
	version, body, ok := decode(fields)
	return Entry{Version: version, Body: body}, ok
}

// decode reads the reply of HMGET. Anything unexpected counts as absent: Redis may hold what another release wrote.
func decode(fields []any) (version int64, body []byte, ok bool) {
	if len(fields) != 2 {
		return 0, nil, false
	}
	v, okVersion := fields[0].(string)
	b, okBody := fields[1].(string)
	version, err := strconv.ParseInt(v, 10, 64)
	return version, []byte(b), okVersion && okBody && err == nil
}

// setNewer stores an entry unless a newer version is there.
var setNewer = redis.NewScript(`
local present = tonumber(redis.call('HGET', KEYS[1], 'v') or '-1')
if present > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'b', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`)

func (c *Cache) toRedis(ctx context.Context, key string, e Entry) {
	if c.outage.Ongoing() {
		return
	}
	err := setNewer.Run(ctx, c.redis, []string{c.redisKey(key)}, e.Version, e.Body, c.options.RedisTTL.Milliseconds()).Err()
	if err != nil {
		c.failed(ctx, "write", err)
	}
}

// failed notes that Redis did not answer. The caller goes on without it.
func (c *Cache) failed(ctx context.Context, what string, err error) {
	c.failures.Inc()
	if errors.Is(err, context.Canceled) {
		return // says nothing about Redis
	}
	c.outage.Begin()
	c.logger.WarnContext(ctx, "cache without Redis", "cache", c.options.Name, "during", what, "err", fmt.Errorf("redis: %w", err))
}
