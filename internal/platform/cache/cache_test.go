package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/platform/reply"
)

func TestMain(m *testing.M) { platformtest.Main(m, redistest.Stop) }

// process is a process with a cache.
type process struct {
	*cache.Cache

	metrics *prometheus.Registry
}

// newProcess returns a process that does not hear of changes.
func newProcess(t *testing.T, client *redis.Client, change func(*cache.Options)) process {
	t.Helper()
	options := cache.Options{
		Name: "test", LocalTTL: time.Minute, RedisTTL: time.Minute, MissingTTL: time.Minute, MaxBytes: 1 << 20,
		Reply: func(e cache.Entry) reply.Options { return reply.Options{Tag: strconv.FormatInt(e.Version, 10)} },
	}
	if change != nil {
		change(&options)
	}
	p := process{metrics: prometheus.NewRegistry()}
	p.Cache = cache.New(options, client, platformtest.Logger(t), p.metrics)
	t.Cleanup(p.Close)
	return p
}

// newListener returns a process that hears of changes.
func newListener(t *testing.T, client *redis.Client, change func(*cache.Options)) process {
	t.Helper()
	p := newProcess(t, client, change)
	platformtest.Go(t, p.Run)
	platformtest.Eventually(t, time.Minute, "it listens", p.Listening)
	return p
}

// count returns how many look-ups came from a source.
func (p process) count(t *testing.T, source cache.Source) float64 {
	t.Helper()
	families, err := p.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "source" && label.GetValue() == string(source) {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

var key = cache.Key{Name: "key"}

// computing returns a load function that returns one version and counts its calls.
func computing(calls *atomic.Int32, version int64) cache.Load {
	return func(context.Context) (cache.Entry, error) {
		calls.Add(1)
		return entry(version), nil
	}
}

func entry(version int64) cache.Entry {
	return cache.Entry{Version: version, Body: []byte("v" + strconv.FormatInt(version, 10))}
}

func want(t *testing.T, p process, load cache.Load, version int64, source cache.Source) {
	t.Helper()
	wantOf(t, p, key, load, version, source)
}

func wantOf(t *testing.T, p process, key cache.Key, load cache.Load, version int64, source cache.Source) {
	t.Helper()
	found, err := p.Get(t.Context(), key, load)
	if err != nil || found.Version != version || string(found.Reply.Body()) != fmt.Sprintf("v%d", version) || found.Source != source {
		t.Errorf("%+v, %v; want version %d from %s", found, err, version, source)
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	here, there := newListener(t, client, nil), newListener(t, client, nil)
	var calls atomic.Int32
	want(t, here, computing(&calls, 1), 1, cache.Computed)
	want(t, here, computing(&calls, 2), 1, cache.FromProcess)
	want(t, there, computing(&calls, 2), 1, cache.FromRedis)
	want(t, there, computing(&calls, 2), 1, cache.FromProcess)
	if calls.Load() != 1 {
		t.Errorf("computed %d times", calls.Load())
	}
	for source, n := range map[cache.Source]float64{cache.FromProcess: 1, cache.FromRedis: 1, cache.Computed: 0} {
		if got := there.count(t, source); got != n {
			t.Errorf("%v look-ups counted from %s, want %v", got, source, n)
		}
	}
}

func TestPutKeepsNewestVersion(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	here := newListener(t, client, nil)
	var calls atomic.Int32
	here.Put(t.Context(), key, entry(5))
	here.Put(t.Context(), key, entry(4)) // a slow writer
	want(t, here, computing(&calls, 9), 5, cache.FromProcess)
	want(t, newListener(t, client, nil), computing(&calls, 9), 5, cache.FromRedis)

	// A slow reader stores a row that it read before the change.
	slow := newListener(t, client, nil)
	if err := client.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	_, err := slow.Get(t.Context(), key, func(ctx context.Context) (cache.Entry, error) {
		here.Put(ctx, key, entry(6))
		return entry(5), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, newListener(t, client, nil), computing(&calls, 9), 6, cache.FromRedis)
}

// Ten thousand requests that miss at the same time make one computation, and are counted as what they are.
func TestConcurrentMissesShareComputation(t *testing.T) {
	t.Parallel()
	const requests = 10_000
	c := newProcess(t, redistest.Client(t, redistest.New(t)), nil)
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
	wg.Go(func() { _, _ = c.Get(impatient, key, load) })
	<-began
	for range requests {
		wg.Go(func() {
			if found, err := c.Get(t.Context(), key, load); err != nil || string(found.Reply.Body()) != "x" || found.Source != cache.Shared {
				t.Errorf("%+v, %v", found, err)
			}
		})
	}
	platformtest.Eventually(t, time.Minute, "all wait", func() bool { return c.count(t, cache.Shared) == requests })
	giveUp()
	close(finish)
	wg.Wait()
	if calls.Load() != 1 || c.count(t, cache.Computed) != 1 || c.count(t, cache.FromProcess) != 0 {
		t.Errorf("computed %d times, counted %v times and %v hits of the process", calls.Load(), c.count(t, cache.Computed), c.count(t, cache.FromProcess))
	}
}

func TestErrorsAreNotCached(t *testing.T) {
	t.Parallel()
	c := newProcess(t, redistest.Client(t, redistest.New(t)), nil)
	broken := errors.New("broken")
	if _, err := c.Get(t.Context(), key, func(context.Context) (cache.Entry, error) { return cache.Entry{}, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	var calls atomic.Int32
	want(t, c, computing(&calls, 1), 1, cache.Computed)
}

func TestEntriesExpire(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	c := newProcess(t, client, func(o *cache.Options) { o.LocalTTL, o.RedisTTL = 50*time.Millisecond, 300*time.Millisecond })
	var calls atomic.Int32
	want(t, c, computing(&calls, 1), 1, cache.Computed)
	platformtest.Eventually(t, time.Minute, "the process forgets before Redis does", func() bool {
		found, err := c.Get(t.Context(), key, computing(&calls, 1))
		return err == nil && found.Source == cache.FromRedis
	})
	platformtest.Eventually(t, time.Minute, "Redis forgets, too", func() bool {
		found, err := c.Get(t.Context(), key, computing(&calls, 2))
		return err == nil && found.Version == 2
	})
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	c := newListener(t, client, func(o *cache.Options) { o.MaxBytes = 100 << 10 })
	body := make([]byte, 1000)
	load := func(context.Context) (cache.Entry, error) { return cache.Entry{Body: body}, nil }
	var slots []*cache.Slot
	for i := range 1000 {
		found, err := c.Get(t.Context(), cache.Key{Name: strconv.Itoa(i)}, load)
		if err != nil || len(found.Reply.Body()) != len(body) {
			t.Fatalf("under pressure: %+v, %v", found, err)
		}
		slots = append(slots, found.Slot)
	}
	// A slot that was evicted does not keep its answer, whoever points to it.
	platformtest.Eventually(t, time.Minute, "most of the entries are gone", func() bool {
		held := 0
		for _, s := range slots {
			if s.Use() != nil {
				held += len(body)
			}
		}
		return held <= 100<<10
	})
}

func TestWithoutRedis(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	cfg := server.Config()
	cfg.Timeout = 200 * time.Millisecond
	client := redistest.Client(t, cfg)
	c := newProcess(t, client, func(o *cache.Options) { o.LocalTTL = time.Nanosecond }) // so that every look-up reaches Redis
	server.Stop()
	var calls atomic.Int32
	for range 200 {
		want(t, c, computing(&calls, 1), 1, cache.Computed)
	}
	if failed := testutil.ToFloat64(c.Failures()); failed > 20 {
		t.Errorf("200 look-ups without Redis sent %v commands to it: they must not each wait for it", failed)
	}
	server.Restart()
	platformtest.Eventually(t, time.Minute, "Redis is used again", func() bool {
		found, err := c.Get(t.Context(), key, computing(&calls, 1))
		return err == nil && found.Source == cache.FromRedis
	})
	// An entry in an unknown format, from another release, is a miss.
	if err := client.HSet(t.Context(), redistest.Key(t, client, "test:key"), "v", "many", "b", "x").Err(); err != nil {
		t.Fatal(err)
	}
	want(t, c, computing(&calls, 1), 1, cache.Computed)
}

// A process that could not tell Redis of its change does not read the former entry there.
func TestOwnChangesStayWhenRedisMissedThem(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	cfg := server.Config()
	cfg.Timeout = 200 * time.Millisecond
	client := redistest.Client(t, cfg)
	c := newProcess(t, client, func(o *cache.Options) { o.LocalTTL = time.Nanosecond })
	var calls atomic.Int32
	want(t, c, computing(&calls, 1), 1, cache.Computed)
	page := cache.Key{Name: "1:page", Group: "1"}
	wantOf(t, c, page, computing(&calls, 1), 1, cache.Computed) // begins the epoch
	wantOf(t, c, page, computing(&calls, 1), 1, cache.Computed)
	wantOf(t, c, page, computing(&calls, 9), 1, cache.FromRedis)
	server.Signal(syscall.SIGSTOP)
	c.Put(t.Context(), key, entry(2))
	c.Changed(t.Context(), "1")
	server.Signal(syscall.SIGCONT)
	platformtest.Eventually(t, time.Minute, "Redis answers again", func() bool { return client.Ping(t.Context()).Err() == nil })
	for range 3 {
		<-time.After(time.Second / 2) // past the pause after an outage
		want(t, c, computing(&calls, 2), 2, cache.Computed)
		wantOf(t, c, page, computing(&calls, 2), 2, cache.Computed)
	}
}

func missing(context.Context) (cache.Entry, error) {
	return cache.Entry{}, errs.New(errs.NotFound, "not_found", "There is none.")
}

// What does not exist is asked for once, until a change in any process ends that.
func TestMissingIsRemembered(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	here, there := newListener(t, client, nil), newListener(t, client, nil)
	var calls atomic.Int32
	for range 2 {
		if _, err := there.Get(t.Context(), key, missing); !errs.Is(err, errs.NotFound) {
			t.Fatalf("%v, want NotFound", err)
		}
	}
	if _, err := there.Get(t.Context(), key, computing(&calls, 1)); !errs.Is(err, errs.NotFound) || calls.Load() > 0 {
		t.Errorf("%v after %d computations: not remembered", err, calls.Load())
	}
	here.Put(t.Context(), key, entry(1))
	here.Announce(t.Context(), []cache.Key{key})
	platformtest.Eventually(t, 30*time.Second, "the creation is seen", func() bool {
		found, err := there.Get(t.Context(), key, missing)
		return err == nil && found.Version == 1
	})
}

func TestOff(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	c := newProcess(t, client, func(o *cache.Options) { o.Off = true })
	var calls atomic.Int32
	c.Put(t.Context(), key, entry(9))
	want(t, c, computing(&calls, 1), 1, cache.Computed)
	want(t, c, computing(&calls, 2), 2, cache.Computed)
	// Nothing is in Redis either.
	want(t, newProcess(t, client, nil), computing(&calls, 3), 3, cache.Computed)
}
