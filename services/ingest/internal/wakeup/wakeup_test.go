package wakeup

import (
	"context"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
)

func TestMain(m *testing.M) { platformtest.Main(m, redistest.Stop) }

// running is a waker that runs, with the queue that it fills.
type running struct {
	*Waker
	enqueued func() int
	stop     func() // asks the waker to stop, and waits until it has
}

func start(t *testing.T) running {
	t.Helper()
	redis := redistest.Client(t, redistest.New(t))
	inspector, queue := asynq.NewInspectorFromRedisClient(redis), redistest.Queue(t, redis, protocol.BatchReady.Queue)
	waker := New(tasks.NewClient(redis, time.Minute), platformtest.Logger(t), prometheus.NewRegistry())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		waker.Run(ctx)
	}()
	stop := func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return running{Waker: waker, stop: stop, enqueued: func() int {
		info, err := inspector.GetQueueInfo(queue)
		if err != nil {
			return 0 // there is no queue before its first task
		}
		return info.Pending
	}}
}

// A task must be enqueued after each call, also after one right before the stop. That is what makes coalescing safe.
func TestEveryCallIsFollowedByATask(t *testing.T) {
	t.Parallel()
	waker := start(t)
	for n := range 3 {
		waker.Wake(t.Context())
		platformtest.Eventually(t, time.Minute, "a task for the call", func() bool { return waker.enqueued() == n+1 })
	}
	waker.Wake(t.Context())
	waker.stop()
	if n := waker.enqueued(); n != 4 {
		t.Errorf("%d tasks, want 4: the call before the stop was lost", n)
	}
}

func TestABurstOfCallsIsOneTaskPerPause(t *testing.T) {
	t.Parallel()
	waker := start(t)
	begin := time.Now()
	for range 10_000 {
		waker.Wake(t.Context())
	}
	waker.stop()
	if n, most := waker.enqueued(), 2+int(time.Since(begin)/pause); n < 1 || n > most {
		t.Errorf("10,000 calls led to %d tasks, want 1 to %d", n, most)
	}
}

// A task continues the trace of the first flush that wanted it, and is linked to the other ones.
func TestTaskIsTraced(t *testing.T) {
	t.Parallel()
	redis := redistest.Client(t, redistest.New(t))
	spans := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
	waker := New(tasks.NewClient(redis, time.Minute), platformtest.Logger(t), prometheus.NewRegistry())
	var flushes []trace.SpanContext
	for range maxLinks + 5 {
		ctx, span := tracer.Start(t.Context(), "flush")
		flushes = append(flushes, span.SpanContext())
		waker.Wake(ctx)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	waker.Run(ctx) // enqueues the one that is wanted
	ended := spans.Ended()
	if len(ended) != 1 || ended[0].Name() != "enqueue aggregate:batch" || !ended[0].Parent().Equal(flushes[0]) {
		t.Fatalf("ended %v", ended)
	}
	if links := ended[0].Links(); len(links) != maxLinks-1 || !links[0].SpanContext.Equal(flushes[1]) {
		t.Errorf("%d links", len(links))
	}
}
