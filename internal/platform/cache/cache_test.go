package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
)

func TestMain(m *testing.M) { platformtest.Main(m, redistest.Stop) }

func newCache(t *testing.T, client *redis.Client, change func(*cache.Options)) *cache.Cache {
	t.Helper()
	options := cache.Options{Name: "test", LocalTTL: time.Minute, RedisTTL: time.Minute, MaxBytes: 1 << 20}
	if change != nil {
		change(&options)
	}
	return cache.New(options, client, platformtest.Logger(t), prometheus.NewRegistry())
}

// computing returns a load function that returns one version and counts its calls.
func computing(calls *atomic.Int32, version int64) func(context.Context) (cache.Entry, error) {
	return func(context.Context) (cache.Entry, error) {
		calls.Add(1)
		return cache.Entry{Version: version, Body: []byte("v" + strconv.FormatInt(version, 10))}, nil
	}
}

func want(t *testing.T, c *cache.Cache, load func(context.Context) (cache.Entry, error), version int64, source cache.Source) {
	t.Helper()
	e, from, err := c.Get(t.Context(), "key", load)
	if err != nil || e.Version != version || string(e.Body) != fmt.Sprintf("v%d", version) || from != source {
		t.Errorf("version %d %q from %s, %v; want version %d from %s", e.Version, e.Body, from, err, version, source)
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	here, there := newCache(t, client, nil), newCache(t, client, nil)
	var calls atomic.Int32
	want(t, here, computing(&calls, 1), 1, cache.Computed)
	want(t, here, computing(&calls, 2), 1, cache.FromProcess)
	want(t, there, computing(&calls, 2), 1, cache.FromRedis)
	want(t, there, computing(&calls, 2), 1, cache.FromProcess)
	if calls.Load() != 1 {
		t.Errorf("computed %d times", calls.Load())
	}
}

func TestPutKeepsNewestVersion(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	here := newCache(t, client, nil)
	var calls atomic.Int32
	here.Put(t.Context(), "key", cache.Entry{Version: 5, Body: []byte("v5")})
	here.Put(t.Context(), "key", cache.Entry{Version: 4, Body: []byte("v4")}) // a slow writer
	want(t, here, computing(&calls, 9), 5, cache.FromProcess)
	want(t, newCache(t, client, nil), computing(&calls, 9), 5, cache.FromRedis)

	// A slow reader stores a row that it read before the change.
	slow := newCache(t, client, nil)
	if err := client.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	_, _, err := slow.Get(t.Context(), "key", func(ctx context.Context) (cache.Entry, error) {
		here.Put(ctx, "key", cache.Entry{Version: 6, Body: []byte("v6")})
		return cache.Entry{Version: 5, Body: []byte("v5")}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, newCache(t, client, nil), computing(&calls, 9), 6, cache.FromRedis)
}

func TestConcurrentMissesShareComputation(t *testing.T) {
	t.Parallel()
	c := newCache(t, redistest.Client(t, redistest.New(t)), nil)
	var calls atomic.Int32
	began, finish := make(chan struct{}), make(chan struct{})
	load := func(context.Context) (cache.Entry, error) {
		if calls.Add(1) == 1 {
			close(began)
		}
		<-finish
		return cache.Entry{Body: []byte("x")}, nil
	}
	// The request that started the computation is canceled. The waiting requests still get the answer.
	impatient, giveUp := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _, _, _ = c.Get(impatient, "key", load) })
	<-began
	for range 20 {
		wg.Go(func() {
			if e, _, err := c.Get(t.Context(), "key", load); err != nil || string(e.Body) != "x" {
				t.Errorf("%q, %v", e.Body, err)
			}
		})
	}
	giveUp()
	close(finish)
	wg.Wait()
	if calls.Load() != 1 {
		t.Errorf("computed %d times at once", calls.Load())
	}
}

func TestErrorsAreNotCached(t *testing.T) {
	t.Parallel()
	c := newCache(t, redistest.Client(t, redistest.New(t)), nil)
	broken := errors.New("broken")
	if _, _, err := c.Get(t.Context(), "key", func(context.Context) (cache.Entry, error) { return cache.Entry{}, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	var calls atomic.Int32
	want(t, c, computing(&calls, 1), 1, cache.Computed)
}

func TestEntriesExpire(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	c := newCache(t, client, func(o *cache.Options) { o.LocalTTL, o.RedisTTL = 50*time.Millisecond, 300*time.Millisecond })
	var calls atomic.Int32
	want(t, c, computing(&calls, 1), 1, cache.Computed)
	platformtest.Eventually(t, time.Minute, "the process forgets before Redis does", func() bool {
		_, from, err := c.Get(t.Context(), "key", computing(&calls, 2))
		return err == nil && from == cache.FromRedis
	})
	platformtest.Eventually(t, time.Minute, "Redis forgets, too", func() bool {
		e, _, err := c.Get(t.Context(), "key", computing(&calls, 2))
		return err == nil && e.Version == 2
	})
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	c := newCache(t, client, func(o *cache.Options) { o.MaxBytes = 100 << 10 })
	body := make([]byte, 1<<10)
	load := func(context.Context) (cache.Entry, error) { return cache.Entry{Body: body}, nil }
	for i := range 1000 {
		if _, _, err := c.Get(t.Context(), strconv.Itoa(i), load); err != nil {
			t.Fatal(err)
		}
	}
	platformtest.Eventually(t, time.Minute, "most of the entries are gone", func() bool {
		local := 0
		for i := range 1000 {
			// A read stores the entry again, so each key is read once per round.
			if _, from, err := c.Get(t.Context(), strconv.Itoa(i), load); err == nil && from == cache.FromProcess {
				local++
			}
		}
		return local <= 110
	})
}

func TestWithoutRedis(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	cfg := server.Config()
	cfg.Timeout = 200 * time.Millisecond
	client := redistest.Client(t, cfg)
	c := newCache(t, client, func(o *cache.Options) { o.LocalTTL = time.Nanosecond }) // so that every look-up reaches Redis
	server.Stop()
	var calls atomic.Int32
	begin := time.Now()
	for range 200 {
		want(t, c, computing(&calls, 1), 1, cache.Computed)
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("200 look-ups without Redis took %s: they must not each wait for it", took)
	}
	server.Restart()
	platformtest.Eventually(t, time.Minute, "Redis is used again", func() bool {
		_, from, err := c.Get(t.Context(), "key", computing(&calls, 1))
		return err == nil && from == cache.FromRedis
	})
	// An entry in an unknown format, from another release, is a miss.
	if err := client.HSet(t.Context(), redistest.Key(t, client, "test:key"), "v", "many", "b", "x").Err(); err != nil {
		t.Fatal(err)
	}
	want(t, c, computing(&calls, 1), 1, cache.Computed)
}

func TestOff(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	c := newCache(t, client, func(o *cache.Options) { o.Off = true })
	var calls atomic.Int32
	c.Put(t.Context(), "key", cache.Entry{Version: 9, Body: []byte("v9")})
	want(t, c, computing(&calls, 1), 1, cache.Computed)
	want(t, c, computing(&calls, 2), 2, cache.Computed)
	// Nothing is in Redis either.
	want(t, newCache(t, client, nil), computing(&calls, 3), 3, cache.Computed)
}
