package cache_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
)

// around runs steps before and after the commands of a name. An error of before replaces the command.
type around struct {
	name   string
	before func() error
	after  func()
}

func (a around) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a around) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (a around) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error {
		if command.Name() != a.name {
			return next(ctx, command)
		}
		err := a.before()
		if err == nil {
			err = next(ctx, command)
		}
		a.after()
		return err
	}
}

// TestReadersDuringAChange reads a page immediately before and after the change takes effect in Redis. What such a reader finds
// does not survive the change, whether Redis takes it or not.
func TestReadersDuringAChange(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"Redis answers": nil, "Redis fails": errors.New("no Redis")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := redistest.New(t)
			client := redistest.Client(t, cfg)
			c := newListener(t, client, nil)
			var calls atomic.Int32
			earlier := newListener(t, redistest.Client(t, cfg), nil)
			c.Changed(t.Context(), page.Group) // the group has an epoch, so its pages are stored in Redis
			if _, err := earlier.Get(t.Context(), page, computing(&calls, 1)); err != nil {
				t.Fatal(err)
			}
			read := func() {
				if _, err := c.Get(t.Context(), page, computing(&calls, 2)); err != nil {
					t.Error(err)
				}
			}
			client.AddHook(around{name: "set", before: func() error { read(); return failure }, after: read})
			c.Changed(t.Context(), page.Group)
			if found, err := c.Get(t.Context(), page, computing(&calls, 2)); err != nil || found.Version != 2 {
				t.Errorf("after the change: %+v, %v", found, err)
			}
		})
	}
}

// TestReadersDuringAPut does the same with a key that has no group, and whose new version is evicted at once.
func TestReadersDuringAPut(t *testing.T) {
	t.Parallel()
	cfg := redistest.New(t)
	client := redistest.Client(t, cfg)
	c := newListener(t, client, nil)
	var calls atomic.Int32
	want(t, newListener(t, redistest.Client(t, cfg), nil), computing(&calls, 1), 1, cache.Computed)
	client.AddHook(around{name: "evalsha", before: func() error {
		c.Evict(key)
		want(t, c, computing(&calls, 9), 1, cache.FromRedis)
		return nil
	}, after: func() {}})
	c.Put(t.Context(), key, entry(2))
	want(t, c, computing(&calls, 9), 2, cache.FromRedis)
}

// TestAnswersThatAreNotKept have no slot: nothing counts the memory of an answer that only a caller holds.
func TestAnswersThatAreNotKept(t *testing.T) {
	t.Parallel()
	c := newListener(t, redistest.Client(t, redistest.New(t)), nil)
	found, err := c.Get(t.Context(), page, func(ctx context.Context) (cache.Entry, error) {
		c.Changed(ctx, page.Group)
		return entry(1), nil
	})
	if err != nil || found.Version != 1 || found.Reply == nil || found.Slot != nil {
		t.Errorf("an answer from before the change: %+v, %v", found, err)
	}
	var calls atomic.Int32
	if found, err := c.Get(t.Context(), page, computing(&calls, 2)); err != nil || found.Version != 2 || found.Slot == nil {
		t.Errorf("an answer from after the change: %+v, %v", found, err)
	}
}

// TestSlowFillStaysOutOfRedis ends a computation when Redis does not have the newer version any more.
func TestSlowFillStaysOutOfRedis(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	var calls atomic.Int32
	t.Run("it was invalidated", func(t *testing.T) { //nolint:paralleltest // it shares the key with the next one
		c := newListener(t, client, nil)
		_, err := c.Get(t.Context(), key, func(ctx context.Context) (cache.Entry, error) {
			c.Put(ctx, key, entry(2))
			return entry(1), client.FlushDB(ctx).Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		want(t, newProcess(t, client, nil), computing(&calls, 2), 2, cache.Computed)
	})
	t.Run("it took too long", func(t *testing.T) { //nolint:paralleltest // see above
		const ttl = 100 * time.Millisecond
		var stores atomic.Int32
		client.AddHook(around{name: "evalsha", before: func() error { stores.Add(1); return nil }, after: func() {}})
		deaf := newProcess(t, client, func(o *cache.Options) { o.RedisTTL = ttl })
		_, err := deaf.Get(t.Context(), cache.Key{Name: "other"}, func(context.Context) (cache.Entry, error) {
			<-time.After(ttl) // a newer version may have been stored and have expired
			return entry(1), nil
		})
		if err != nil || stores.Load() != 0 {
			t.Errorf("stored %d times, %v", stores.Load(), err)
		}
	})
}
