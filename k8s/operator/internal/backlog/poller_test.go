package backlog_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/backlog"
)

// waitTimeout limits how long a test waits on a busy machine.
const waitTimeout = 20 * time.Second

// bench is a poller with its Redis.
type bench struct {
	*backlog.Snapshot
	poller   *backlog.Poller
	registry *prometheus.Registry
	queues   atomic.Pointer[[]string]
	client   *asynq.Client
	inspect  *asynq.Inspector
}

func newBench(t *testing.T, cfg platformredis.Config, maxAge time.Duration, queues ...string) *bench {
	t.Helper()
	redis := redistest.Client(t, cfg)
	b := &bench{
		Snapshot: backlog.NewSnapshot(maxAge),
		registry: prometheus.NewRegistry(),
		client:   asynq.NewClientFromRedisClient(redis),
		inspect:  asynq.NewInspectorFromRedisClient(redis),
	}
	b.queues.Store(&queues)
	b.poller = backlog.NewPoller(backlog.Options{
		Redis:  redis,
		Queues: func(context.Context) ([]string, error) { return *b.queues.Load(), nil },
		// Redis uses the real time, so its tests do too.
		Interval: 20 * time.Millisecond,
		Snapshot: b.Snapshot, Logger: platformtest.Logger(t), Registerer: b.registry,
	})
	return b
}

// run polls until the test ends.
func (b *bench) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- b.poller.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the poller stopped with %v", err)
		}
	})
}

func (b *bench) enqueue(t *testing.T, queue string, n int, options ...asynq.Option) {
	t.Helper()
	for range n {
		if _, err := b.client.Enqueue(asynq.NewTask("test", nil), append(options, asynq.Queue(queue))...); err != nil {
			t.Fatal(err)
		}
	}
}

func (b *bench) eventually(t *testing.T, queue, what string, condition func(backlog.Reading) bool) {
	t.Helper()
	platformtest.Eventually(t, waitTimeout, what, func() bool {
		reading, err := b.Get(queue)
		return err == nil && condition(reading)
	})
}

func TestPendingAndActiveCount(t *testing.T) {
	t.Parallel()
	cfg := redistest.New(t)
	b := newBench(t, cfg, waitTimeout, "rollups")
	b.enqueue(t, "rollups", 5)
	b.enqueue(t, "rollups", 3, asynq.ProcessIn(time.Hour)) // scheduled tasks cannot be started yet
	b.enqueue(t, "other", 2)
	b.run(t)
	b.eventually(t, "rollups", "5 tasks", func(r backlog.Reading) bool { return r.Backlog == 5 && r.OldestPending > 0 })

	// Two active tasks do not change the backlog.
	busy, release := make(chan struct{}, 5), make(chan struct{})
	server := asynq.NewServerFromRedisClient(redistest.Client(t, cfg), asynq.Config{
		Concurrency: 2, Queues: map[string]int{"rollups": 1}, LogLevel: asynq.FatalLevel,
	})
	err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		busy <- struct{}{}
		<-release
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	t.Cleanup(func() { close(release) })
	<-busy
	<-busy
	after := time.Now()
	b.eventually(t, "rollups", "5 tasks, 2 of them active", func(r backlog.Reading) bool {
		return r.Time.After(after) && r.Backlog == 5
	})
}

func TestUnusedQueueIsEmpty(t *testing.T) {
	t.Parallel()
	b := newBench(t, redistest.New(t), waitTimeout, "unused")
	b.run(t)
	b.eventually(t, "unused", "an empty reading", func(r backlog.Reading) bool { return r.Backlog == 0 })
}

func TestWipedQueueIsEmpty(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	b := newBench(t, server.Config(), waitTimeout, "rollups")
	b.enqueue(t, "rollups", 4)
	b.run(t)
	b.eventually(t, "rollups", "4 tasks", func(r backlog.Reading) bool { return r.Backlog == 4 })
	server.FlushAll()
	b.eventually(t, "rollups", "none after a wipe", func(r backlog.Reading) bool { return r.Backlog == 0 })
}

func TestPausedQueueKeepsItsBacklog(t *testing.T) {
	t.Parallel()
	b := newBench(t, redistest.New(t), waitTimeout, "rollups")
	b.enqueue(t, "rollups", 4)
	if err := b.inspect.PauseQueue("rollups"); err != nil {
		t.Fatal(err)
	}
	b.run(t)
	b.eventually(t, "rollups", "4 tasks, paused", func(r backlog.Reading) bool { return r.Backlog == 4 && r.Paused })
}

func TestOutage(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	const maxAge = 2 * time.Second
	b := newBench(t, server.Config(), maxAge, "rollups")
	b.enqueue(t, "rollups", 4)
	b.run(t)
	b.eventually(t, "rollups", "4 tasks", func(r backlog.Reading) bool { return r.Backlog == 4 })

	server.Kill()
	platformtest.Eventually(t, waitTimeout, "a stale reading", func() bool {
		reading, err := b.Get("rollups")
		if err == nil && reading.Backlog != 4 {
			t.Fatalf("the backlog is %d while Redis is down", reading.Backlog)
		}
		return errors.Is(err, backlog.ErrStale)
	})
	for name, want := range map[string]int{"hpa_queue_backlog": 0, "hpa_queue_snapshot_age_seconds": 1} {
		if got, err := testutil.GatherAndCount(b.registry, name); err != nil || got != want {
			t.Errorf("%d of %s while the reading is stale, want %d (%v)", got, name, want, err)
		}
	}

	server.Restart()
	b.eventually(t, "rollups", "a reading after the outage", func(backlog.Reading) bool { return true })
}

func TestNotReadyBeforeFirstPoll(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	b := newBench(t, server.Config(), waitTimeout, "rollups")
	server.Stop()
	if b.poller.Attempted(t.Context()) == nil {
		t.Error("ready before the first poll")
	}
	b.run(t)
	platformtest.Eventually(t, waitTimeout, "the first attempt", func() bool { return b.poller.Attempted(t.Context()) == nil })
	if reading, err := b.Get("rollups"); !errors.Is(err, backlog.ErrStale) {
		t.Errorf("Redis is down from the start: %v, %v; want ErrStale", reading, err)
	}
	server.Restart()
	b.eventually(t, "rollups", "a reading", func(backlog.Reading) bool { return true })
}

func TestUnnamedQueueIsForgotten(t *testing.T) {
	t.Parallel()
	b := newBench(t, redistest.New(t), waitTimeout, "one", "two")
	b.run(t)
	b.eventually(t, "two", "a reading of two", func(backlog.Reading) bool { return true })
	b.queues.Store(&[]string{"one"})
	platformtest.Eventually(t, waitTimeout, "two is forgotten", func() bool {
		_, err := b.Get("two")
		return errors.Is(err, backlog.ErrNotPolled)
	})
}

// A queue that cannot be read keeps its last reading and does not affect the others.
func TestBrokenQueueDoesNotAffectOthers(t *testing.T) {
	t.Parallel()
	cfg := redistest.New(t)
	b := newBench(t, cfg, waitTimeout, "broken", "whole")
	b.enqueue(t, "broken", 1)
	b.enqueue(t, "whole", 1)
	redis := redistest.Client(t, cfg)
	if err := redis.Del(t.Context(), "asynq:{broken}:pending").Err(); err != nil {
		t.Fatal(err)
	}
	if err := redis.Set(t.Context(), "asynq:{broken}:pending", "no list", 0).Err(); err != nil {
		t.Fatal(err)
	}
	b.run(t)
	b.eventually(t, "whole", "1 task", func(r backlog.Reading) bool { return r.Backlog == 1 })
	if _, err := b.Get("broken"); err == nil {
		t.Error("the broken queue has a reading")
	}
}
