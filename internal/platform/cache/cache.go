// Package cache caches encoded answers in three levels: in this process (limited in bytes), in Redis, and whatever computes
// them. Concurrent misses of one key in a process share one computation.
//
// What a change invalidates is never served after the change was answered by the same process, and a computation that began
// before the change never replaces what came after it: each key has a fence, a counter that an invalidation raises, and what was
// begun under an older count is not used. Other processes learn of an invalidation by a message (see Run). A process that may
// have missed messages drops everything.
//
// There are three ways to invalidate. Put stores the new version of one key. Changed drops all keys of a group. Keys may also
// contain a version token: a change creates a new token, and nobody reads the old keys any more.
package cache

import (
	"context"
	"crypto/rand"
	"errors"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/reply"
)

const (
	// loadTimeout limits one computation. One that takes longer than Redis keeps entries is not stored there. A computation outlives the request that started it, because others may wait for it.
	loadTimeout = 15 * time.Second
	// entryOverhead is the estimated memory per entry in addition to its key and body, in bytes.
	entryOverhead = 500
	// fences is the number of counters that the keys without a group share. Two keys that share one invalidate each other.
	fences = 1 << 12
	// unheardTTL is the TTL in this process while it cannot hear of invalidations.
	unheardTTL = time.Second
)

// Options describe a cache.
type Options struct {
	Name string // prefixes the Redis keys and labels the metrics
	// LocalTTL is the longest time that an entry lives in this process. An invalidation whose message is lost without a trace
	// takes effect after this time at the latest. While the process hears no messages, entries live for at most a second.
	LocalTTL time.Duration
	RedisTTL time.Duration // TTL in Redis: the longest staleness when an invalidation is lost
	// MissingTTL is how long the process remembers that there is nothing under a key; 0: not at all.
	MissingTTL time.Duration
	MaxBytes   uint64 // limit of the in-process level
	Off        bool   // keep nothing and compute every answer, for measurements
	// Reply returns the headers of the answer with an entry.
	Reply func(Entry) reply.Options
}

// Key names an answer.
type Key struct {
	Name string // without line breaks
	// Group names what a change invalidates together; empty if changes Put single keys. The name of a key must contain its group.
	Group string
}

// Entry is a cached answer.
type Entry struct {
	Version int64 // version of the cached object; 0 if the object has none
	Body    []byte
}

// Load computes an answer. A NotFound error is remembered for MissingTTL; others are not.
type Load func(ctx context.Context) (Entry, error)

// Source is where an answer came from.
type Source string

// The sources, as they appear in the metrics.
const (
	FromProcess Source = "process"
	FromRedis   Source = "redis"
	Computed    Source = "miss"
	Shared      Source = "shared" // it waited for the Redis look-up or the computation of another request
)

// Cache is safe for concurrent use.
type Cache struct {
	options Options
	local   *otter.Cache[string, *Slot]
	level   redisLevel
	bus     bus

	seed   maphash.Seed
	fences [fences]atomic.Uint64
	groups sync.Map // *atomic.Uint64 by group

	mu      sync.Mutex
	flights map[string]*flight

	hits     prometheus.Counter // from the process
	requests *prometheus.CounterVec
}

// New returns a cache. It works without Redis while client does not answer.
func New(options Options, client *platformredis.Client, logger *slog.Logger, registerer prometheus.Registerer) *Cache {
	labels := prometheus.Labels{"cache": options.Name}
	c := &Cache{
		options: options, seed: maphash.MakeSeed(), flights: map[string]*flight{},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hpa_cache_requests_total", ConstLabels: labels,
			Help: "Look-ups by where the answer came from: process, redis, miss (computed) or shared (with a request that came before).",
		}, []string{"source"}),
		level: redisLevel{options: options, client: client, logger: logger, failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_cache_redis_errors_total", Help: "Redis commands of the cache that failed.", ConstLabels: labels,
		})},
	}
	c.hits = c.requests.WithLabelValues(string(FromProcess))
	c.bus = bus{cache: c, client: client, logger: logger, sender: rand.Text()}
	c.local = otter.Must(&otter.Options[string, *Slot]{
		MaximumWeight: options.MaxBytes,
		Weigher:       func(key string, s *Slot) uint32 { return uint32(len(key)) + s.weight + entryOverhead },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, *Slot]) time.Duration {
			return time.Duration(e.Value.until - e.Value.stored)
		}),
		OnAtomicDeletion: func(e otter.DeletionEvent[string, *Slot]) { e.Value.drop() },
	})
	registerer.MustRegister(c.requests, c.level.failures)
	return c
}

// Close stops the goroutine that removes expired entries.
func (c *Cache) Close() { c.local.StopAllGoroutines() }

// Get returns the answer of key. If neither level has it, Get computes it with load, and shares the computation with the requests
// that come meanwhile.
func (c *Cache) Get(ctx context.Context, key Key, load Load) (Found, error) {
	if c.options.Off {
		return c.compute(ctx, load)
	}
	if found, err, ok := c.held(key); ok {
		return found, err
	}
	return c.fly(ctx, key, load, false)
}

// Refreshing is Get for a key that is read often: shortly before the entry expires, one request renews it, and the others are
// answered with what there is.
func (c *Cache) Refreshing(ctx context.Context, key Key, load Load) (Found, error) {
	slot, ok := c.local.GetIfPresent(key.Name)
	if !ok || !slot.claim() {
		return c.Get(ctx, key, load)
	}
	old, missing := slot.found(FromProcess)
	found, err := c.fly(ctx, key, load, true)
	if err != nil && old.Reply != nil && slot.usable() {
		return old, missing
	}
	return found, err
}

// compute returns an answer that nobody keeps.
func (c *Cache) compute(ctx context.Context, load Load) (Found, error) {
	c.requests.WithLabelValues(string(Computed)).Inc()
	entry, err := load(ctx)
	if err != nil {
		return Found{Source: Computed}, err
	}
	return Found{Reply: reply.New(entry.Body, c.options.Reply(entry)), Version: entry.Version, Source: Computed}, nil
}

// held returns what the process has under a key.
func (c *Cache) held(key Key) (Found, error, bool) {
	slot, ok := c.local.GetIfPresent(key.Name)
	if !ok || !slot.usable() {
		return Found{}, nil, false
	}
	found, err := slot.found(FromProcess)
	if found.Reply == nil && err == nil {
		return Found{}, nil, false // evicted at this moment
	}
	c.hits.Inc()
	return found, err, true
}

// Put stores e, which a change has committed, under a key without a group, unless newer versions are there. Answers that
// began before Put are not used any more: neither here nor, once they hear of it, in other processes.
func (c *Cache) Put(ctx context.Context, key Key, e Entry) {
	if c.options.Off {
		return
	}
	fence := c.fence(key)
	c.local.Compute(key.Name, func(old *Slot, found bool) (*Slot, otter.ComputeOp) {
		if found && old.version > e.Version {
			return old, otter.CancelOp
		}
		return c.newSlot(e, nil, c.options.LocalTTL, mark{fence: fence, at: fence.Add(1), heard: c.bus.heard.Load()}), otter.WriteOp
	})
	c.level.put(ctx, key, e)
	if slot, ok := c.local.GetIfPresent(key.Name); !ok || slot.version < e.Version {
		// It was evicted, and a request may have found the former version in Redis before put.
		fence.Add(1)
	}
}

// Changed drops the answers of a group, after the commit of a change. The fence is raised after Redis has the new epoch, or is not
// read any more: a request that found an answer from before the change in Redis began under the old count.
func (c *Cache) Changed(ctx context.Context, group string) {
	if c.options.Off {
		return
	}
	c.level.renew(ctx, group)
	c.group(group).Add(1)
	c.Announce(ctx, []Key{{Group: group}})
}

// fence returns the counter of a key.
func (c *Cache) fence(key Key) *atomic.Uint64 {
	if key.Group != "" {
		return c.group(key.Group)
	}
	return &c.fences[maphash.String(c.seed, key.Name)%fences]
}

func (c *Cache) group(name string) *atomic.Uint64 {
	if counter, ok := c.groups.Load(name); ok {
		return counter.(*atomic.Uint64) //nolint:forcetypeassert,errcheck // nothing else is stored
	}
	counter, _ := c.groups.LoadOrStore(name, new(atomic.Uint64))
	return counter.(*atomic.Uint64) //nolint:forcetypeassert,errcheck // nothing else is stored
}

var errPanicked = errors.New("the computation of a cached answer panicked")

// Counts returns how many look-ups each source has answered since the cache was made.
func (c *Cache) Counts() map[Source]int64 {
	counts := map[Source]int64{}
	for _, source := range []Source{FromProcess, FromRedis, Computed, Shared} {
		var m dto.Metric
		if err := c.requests.WithLabelValues(string(source)).Write(&m); err == nil {
			counts[source] = int64(m.GetCounter().GetValue())
		}
	}
	return counts
}
