// Package cache caches encoded answers in two levels: in this process (limited in bytes, short TTL) and in Redis. A miss in
// both levels computes the answer; concurrent misses of one key share one computation.
//
// After an invalidation, an answer is stale for at most the in-process TTL. There are two ways to invalidate. Keys may
// contain a version token: a change creates a new token, and nobody reads the old keys any more. Or entries carry a version
// number: Put replaces older versions in both levels, and a slow reader cannot bring an old version back.
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

// loadTimeout limits one computation. A computation outlives the request that started it, because others may wait for it.
const loadTimeout = 15 * time.Second

// entryOverhead is the estimated memory per entry in addition to its key and body, in bytes.
const entryOverhead = 200

// Options describe a cache.
type Options struct {
	Name     string        // prefixes the Redis keys and labels the metrics
	LocalTTL time.Duration // TTL in this process: an invalidation on another replica takes effect after this time at the latest
	RedisTTL time.Duration // TTL in Redis: the longest staleness when an invalidation is lost
	MaxBytes uint64        // limit of the in-process level
	Off      bool          // keep nothing and compute every answer, for measurements
}

// Entry is a cached answer.
type Entry struct {
	Version int64 // version of the cached object; 0 if the keys contain a version token
	Body    []byte
}

// Source is the level that an answer came from.
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
	redis    *platformredis.Client
	outage   platformredis.Outage
	local    *otter.Cache[string, Entry]
	logger   *slog.Logger
	requests *prometheus.CounterVec
	failures prometheus.Counter
}

// New returns a cache. It works without Redis while client does not answer.
func New(options Options, client *platformredis.Client, logger *slog.Logger, registerer prometheus.Registerer) *Cache {
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

// Get returns the entry of key. If neither level has it, Get computes it with load. Errors come from load and are not cached.
func (c *Cache) Get(ctx context.Context, key string, load func(ctx context.Context) (Entry, error)) (Entry, Source, error) {
	if c.options.Off {
		c.requests.WithLabelValues(string(Computed)).Inc()
		entry, err := load(ctx)
		return entry, Computed, err
	}
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

// Put stores e under key in both levels, unless they hold a newer version.
func (c *Cache) Put(ctx context.Context, key string, e Entry) {
	if c.options.Off {
		return
	}
	c.local.Compute(key, func(old Entry, found bool) (Entry, otter.ComputeOp) {
		if found && old.Version > e.Version {
			return old, otter.CancelOp
		}
		return e, otter.WriteOp
	})
	c.toRedis(ctx, key, e)
}

// redisKey names the hash {v: version, b: body} of key.
func (c *Cache) redisKey(ctx context.Context, key string) (string, error) {
	return c.redis.Key(ctx, c.options.Name+":"+key)
}

func (c *Cache) fromRedis(ctx context.Context, key string) (Entry, bool) {
	if c.outage.Ongoing() {
		return Entry{}, false
	}
	name, err := c.redisKey(ctx, key)
	if err != nil {
		c.failed(ctx, "read", err)
		return Entry{}, false
	}
	fields, err := c.redis.HMGet(ctx, name, "v", "b").Result()
	if err != nil {
		c.failed(ctx, "read", err)
		return Entry{}, false
	}
	version, body, ok := decode(fields)
	return Entry{Version: version, Body: body}, ok
}

// decode parses the reply of HMGET. It treats anything unexpected as a miss, because another release may have written it.
func decode(fields []any) (version int64, body []byte, ok bool) {
	if len(fields) != 2 {
		return 0, nil, false
	}
	v, okVersion := fields[0].(string)
	b, okBody := fields[1].(string)
	version, err := strconv.ParseInt(v, 10, 64)
	return version, []byte(b), okVersion && okBody && err == nil
}

// setNewer stores an entry unless Redis holds a newer version.
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
	name, err := c.redisKey(ctx, key)
	if err == nil {
		err = setNewer.Run(ctx, c.redis, []string{name}, e.Version, e.Body, c.options.RedisTTL.Milliseconds()).Err()
	}
	if err != nil {
		c.failed(ctx, "write", err)
	}
}

// failed records that Redis did not answer. The caller continues without it.
func (c *Cache) failed(ctx context.Context, what string, err error) {
	c.failures.Inc()
	if errors.Is(err, context.Canceled) {
		return // the caller canceled; Redis may be fine
	}
	c.outage.Begin()
	c.logger.WarnContext(ctx, "cache without Redis", "cache", c.options.Name, "during", what, "err", fmt.Errorf("redis: %w", err))
}
