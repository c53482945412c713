package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// flight is one computation of a key, which the requests that come meanwhile share.
type flight struct {
	mark  mark
	done  chan struct{}
	found Found
	err   error
}

// fly joins the flight of a key or begins one. A flight that began before an invalidation is not joined: its answer may be from
// before the change. A renewal computes an answer that is about to expire in Redis.
func (c *Cache) fly(ctx context.Context, key Key, load Load, renewal bool) (Found, error) {
	fence := c.fence(key)
	c.mu.Lock()
	m := mark{fence: fence, at: fence.Load(), heard: c.bus.heard.Load()}
	if f, ok := c.flights[key.Name]; ok && f.mark == m {
		c.mu.Unlock()
		return c.wait(ctx, f)
	}
	f := &flight{mark: m, done: make(chan struct{}), err: errPanicked}
	c.flights[key.Name] = f
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		if c.flights[key.Name] == f {
			delete(c.flights, key.Name)
		}
		c.mu.Unlock()
		close(f.done)
	}()
	f.found, f.err = c.fill(ctx, key, m, load, renewal)
	c.requests.WithLabelValues(string(f.found.Source)).Inc()
	return f.found, f.err
}

func (c *Cache) wait(ctx context.Context, f *flight) (Found, error) {
	c.requests.WithLabelValues(string(Shared)).Inc()
	select {
	case <-f.done:
	case <-ctx.Done():
		return Found{Source: Shared}, fmt.Errorf("wait for a cached answer: %w", ctx.Err())
	}
	found := f.found
	found.Source = Shared
	return found, f.err
}

// fill finds the answer in Redis or computes it, and keeps it.
func (c *Cache) fill(ctx context.Context, key Key, m mark, load Load, renewal bool) (Found, error) {
	if found, err, ok := c.held(key); ok && !renewal { // a flight has landed since the caller looked
		return found, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	stored, ok := c.level.get(ctx, key)
	if ok && (!renewal || stored.left > c.options.RedisTTL/5) {
		return c.keep(key, FromRedis, c.newSlot(stored.entry, nil, min(c.options.LocalTTL, stored.left), m))
	}
	began := clock()
	entry, err := load(ctx)
	switch {
	case errs.Is(err, errs.NotFound) && c.options.MissingTTL > 0:
		return c.keep(key, Computed, c.newSlot(Entry{}, err, c.options.MissingTTL, m))
	case err != nil:
		return Found{Source: Computed}, err
	}
	if c.storable(m, began) {
		c.level.store(ctx, key, entry, stored.epoch)
	}
	return c.keep(key, Computed, c.newSlot(entry, nil, c.options.LocalTTL, m))
}

// storable reports whether an answer whose computation began at a time may go to Redis. Redis refuses an older version only while
// it holds the newer one, which it has got after began: it may have expired when the computation took half a TTL, and when an
// invalidation came, nothing is known about when.
func (c *Cache) storable(m mark, began int64) bool {
	return c.current(m) && clock()-began < int64(c.options.RedisTTL/2)
}

// keep stores a slot in the process and returns its answer. It does not store what was invalidated meanwhile, or an older
// version: such an answer only holds for the requests that came before.
func (c *Cache) keep(key Key, from Source, s *Slot) (Found, error) {
	found, missing := s.found(from) // now, because the slot may be evicted at once
	stored := false
	c.local.Compute(key.Name, func(old *Slot, present bool) (*Slot, otter.ComputeOp) {
		stored = s.usable() && (!present || !old.usable() || old.version <= s.version)
		if !stored {
			return old, otter.CancelOp
		}
		return s, otter.WriteOp
	})
	if !stored {
		found.Slot = nil // nothing counts its memory, and nothing would ever drop its answer
	}
	return found, missing
}

// stored is an entry of Redis.
type stored struct {
	entry Entry
	left  time.Duration // until it expires there
	epoch string        // of its group, as it is now; "" if there is none
}
