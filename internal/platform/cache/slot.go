package cache

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/reply"
)

// began is when the process started. Times in slots are nanoseconds since then, by the monotonic clock.
var began = time.Now()

func clock() int64 { return int64(time.Since(began)) }

// mark is the state of the invalidations when an answer was begun.
type mark struct {
	fence *atomic.Uint64
	at    uint64
	heard uint64 // see bus.heard
}

// Slot is an answer in the process, or the knowledge that there is none. It stays valid until it expires, is replaced or
// evicted, or something invalidates it.
type Slot struct {
	cache         *Cache
	version       int64
	content       atomic.Pointer[reply.Reply] // nil after eviction, and for an answer that does not exist
	missing       error
	mark          mark
	stored, until int64
	weight        uint32       // in bytes, of the answer
	renew         atomic.Int64 // from when on a request should renew it
}

// Found is an answer.
type Found struct {
	Reply   *reply.Reply
	Version int64
	Source  Source
	Slot    *Slot // nil for an answer that the process does not hold
}

// renewAfter is the percentage of its life after which a slot in use is renewed, renewPause how long one request has for that.
const (
	renewAfter = 80
	renewPause = int64(time.Second)
)

// varied returns a TTL that is up to a fifth shorter, so that entries of the same moment do not expire together.
func varied(ttl time.Duration) time.Duration {
	return time.Duration(float64(ttl) * (1 - rand.Float64()/5)) //nolint:gosec // no secret
}

// newSlot returns a slot that lives for at most ttl.
func (c *Cache) newSlot(e Entry, missing error, ttl time.Duration, m mark) *Slot {
	now := clock()
	life := max(1, int64(varied(ttl)))
	s := &Slot{cache: c, version: e.Version, missing: missing, mark: m, stored: now, until: now + life}
	s.renew.Store(now + life*renewAfter/100)
	if missing == nil {
		content := reply.New(e.Body, c.options.Reply(e))
		s.content.Store(content)
		s.weight = uint32(content.Size())
	}
	return s
}

// Use returns the answer and counts a hit. It returns nil if the slot is not valid any more, or if this request should renew it:
// then the caller asks the cache.
func (s *Slot) Use() *reply.Reply {
	if !s.usable() || clock() >= s.renew.Load() {
		return nil
	}
	content := s.content.Load()
	if content != nil {
		s.cache.hits.Inc()
	}
	return content
}

// current reports whether nothing was invalidated since the mark.
func (c *Cache) current(m mark) bool {
	return m.fence.Load() == m.at && c.bus.heard.Load() == m.heard
}

// usable reports whether nothing has invalidated the slot.
func (s *Slot) usable() bool {
	now, bus := clock(), &s.cache.bus
	return now < s.until && s.cache.current(s.mark) &&
		(bus.listening.Load() || now < s.stored+int64(unheardTTL))
}

// claim reports whether the slot is to be renewed, to one caller at a time.
func (s *Slot) claim() bool {
	due, now := s.renew.Load(), clock()
	return now >= due && s.missing == nil && s.usable() && s.renew.CompareAndSwap(due, now+renewPause)
}

// drop frees the memory of an evicted or replaced answer, which others may still point to.
func (s *Slot) drop() { s.content.Store(nil) }

func (s *Slot) found(from Source) (Found, error) {
	return Found{Reply: s.content.Load(), Version: s.version, Source: from, Slot: s}, s.missing
}
