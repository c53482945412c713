package cache_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
)

var page = cache.Key{Name: "7:page", Group: "7"}

// TestSlowFillNeverWins lets a computation begin before a change and end after it: in the process that changes, and in another
// one that hears of it.
func TestSlowFillNeverWins(t *testing.T) {
	t.Parallel()
	for name, k := range map[string]cache.Key{"single": key, "group": page} {
		for _, where := range []string{"same process", "other process"} {
			t.Run(name+" "+where, func(t *testing.T) {
				t.Parallel()
				client := redistest.Client(t, redistest.New(t))
				reader := newListener(t, client, nil)
				writer := reader
				if where == "other process" {
					writer = newListener(t, client, nil)
				}
				var calls atomic.Int32
				began, finish := make(chan struct{}), make(chan struct{})
				var slow sync.WaitGroup
				slow.Go(func() {
					_, _ = reader.Get(t.Context(), k, func(context.Context) (cache.Entry, error) {
						close(began)
						<-finish
						return entry(1), nil
					})
				})
				<-began
				heard := reader.Fence(k)
				if k.Group != "" {
					writer.Changed(t.Context(), k.Group)
				} else {
					writer.Put(t.Context(), k, entry(2))
					writer.Announce(t.Context(), []cache.Key{k})
				}
				platformtest.Eventually(t, time.Minute, "the change is heard of", func() bool { return reader.Fence(k) > heard })
				// A request after the change does not wait for the computation from before.
				found, err := reader.Get(t.Context(), k, computing(&calls, 2))
				if err != nil || found.Version != 2 {
					t.Errorf("after the change: %+v, %v", found, err)
				}
				close(finish)
				slow.Wait()
				for _, p := range []process{reader, writer, newProcess(t, client, nil)} {
					if found, err := p.Get(t.Context(), k, computing(&calls, 2)); err != nil || found.Version != 2 {
						t.Errorf("the slow computation won: %+v, %v", found, err)
					}
				}
			})
		}
	}
}

// TestWriterReadsItsWrites counts on nothing but that the change was made before the read.
func TestWriterReadsItsWrites(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	c := newListener(t, client, nil)
	var calls atomic.Int32
	for version := int64(1); version < 50; version++ {
		c.Put(t.Context(), key, entry(version))
		c.Announce(t.Context(), []cache.Key{key})
		c.Changed(t.Context(), page.Group)
		for _, k := range []cache.Key{key, page} {
			if found, err := c.Get(t.Context(), k, computing(&calls, version)); err != nil || found.Version != version {
				t.Fatalf("%v after change %d: %+v, %v", k, version, found, err)
			}
		}
	}
}

// TestGap takes the connection of a process away while something changes. What it had from before is dropped when it is back.
func TestGap(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	client := redistest.Client(t, server.Config())
	c := newListener(t, client, nil)
	var calls atomic.Int32
	want(t, c, computing(&calls, 1), 1, cache.Computed)
	wantOf(t, c, page, computing(&calls, 1), 1, cache.Computed)
	server.Kill()
	platformtest.Eventually(t, time.Minute, "the gap is noticed", func() bool { return !c.Listening() })
	server.Restart()
	server.FlushAll() // as if something had changed, of which nobody is told
	platformtest.Eventually(t, time.Minute, "it listens again", c.Listening)
	want(t, c, computing(&calls, 2), 2, cache.Computed)
	wantOf(t, c, page, computing(&calls, 2), 2, cache.Computed)
}

// TestDeaf covers a process that hears nothing: its entries live for a second.
func TestDeaf(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	deaf, writer := newProcess(t, client, nil), newListener(t, client, nil)
	var calls atomic.Int32
	want(t, deaf, computing(&calls, 1), 1, cache.Computed)
	writer.Put(t.Context(), key, entry(2))
	writer.Announce(t.Context(), []cache.Key{key})
	platformtest.Eventually(t, 30*time.Second, "the change is seen without a message", func() bool {
		found, err := deaf.Get(t.Context(), key, computing(&calls, 9))
		return err == nil && found.Version == 2
	})
}

// TestOneRequestRenews reads a key until it is due. One request computes it anew, and the others are answered meanwhile.
func TestOneRequestRenews(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	c := newListener(t, client, func(o *cache.Options) { o.LocalTTL, o.RedisTTL = 20*time.Second, time.Second })
	var calls atomic.Int32
	first, err := c.Refreshing(t.Context(), key, computing(&calls, 1))
	if err != nil {
		t.Fatal(err)
	}
	if first.Slot.Use() == nil {
		t.Fatal("a new slot is not used")
	}
	first.Slot.Due()
	if first.Slot.Use() != nil {
		t.Error("a request that should renew the slot is answered without")
	}
	if err := client.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	began, finish := make(chan struct{}), make(chan struct{})
	var renewing sync.WaitGroup
	renewing.Go(func() {
		_, _ = c.Refreshing(t.Context(), key, func(context.Context) (cache.Entry, error) {
			close(began)
			<-finish
			return entry(2), nil
		})
	})
	<-began
	for range 10 {
		if found, err := c.Refreshing(t.Context(), key, computing(&calls, 9)); err != nil || found.Version != 1 {
			t.Errorf("during the renewal: %+v, %v", found, err)
		}
	}
	close(finish)
	renewing.Wait()
	want(t, c, computing(&calls, 9), 2, cache.FromProcess)
	if first.Slot.Use() != nil {
		t.Error("the former slot is still used")
	}
}
