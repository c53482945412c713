package tasks_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
)

func TestMain(m *testing.M) { platformtest.Main(m, redistest.Stop) }

var greeting = tasks.Type{Name: "test:greet", Queue: "tests", Options: []asynq.Option{asynq.MaxRetry(1)}}

func TestTaskCarriesTraceContext(t *testing.T) {
	t.Parallel()
	redis := redistest.Client(t, redistest.New(t))
	tracing := sdktrace.NewTracerProvider()
	type run struct {
		trace trace.TraceID
		links []trace.Link
	}
	runs := make(chan run, 1)
	mux := asynq.NewServeMux()
	greeting.Handle(mux, tracing, func(ctx context.Context) error {
		runs <- run{trace.SpanContextFromContext(ctx).TraceID(), tasks.Links(ctx)}
		return nil
	})
	server := asynq.NewServerFromRedisClient(redis, asynq.Config{
		Queues: map[string]int{redistest.Queue(t, redis, greeting.Queue): 1}, TaskCheckInterval: 20 * time.Millisecond, Logger: tasks.Logger{Logger: platformtest.Logger(t)},
	})
	if err := server.Start(mux); err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown()

	ctx, span := tracing.Tracer("test").Start(t.Context(), "request")
	ctx, cancel := context.WithCancel(ctx)
	cancel() // the request has ended, but the task is still needed
	_, other := tracing.Tracer("test").Start(t.Context(), "another request")
	nowhere := trace.Link{}
	if err := greeting.Enqueue(ctx, tasks.NewClient(redis, time.Minute), nowhere, trace.Link{SpanContext: other.SpanContext()}); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-runs:
		if got.trace != span.SpanContext().TraceID() {
			t.Errorf("the task ran in trace %s, want %s", got.trace, span.SpanContext().TraceID())
		}
		if len(got.links) != 1 || got.links[0].SpanContext.SpanID() != other.SpanContext().SpanID() {
			t.Errorf("the task has the links %v", got.links)
		}
	case <-time.After(time.Minute):
		t.Fatal("the task was not run")
	}
}

func TestHandlerErrorReachesAsynq(t *testing.T) {
	t.Parallel()
	mux := asynq.NewServeMux()
	broken := errors.New("broken")
	greeting.Handle(mux, sdktrace.NewTracerProvider(), func(context.Context) error { return broken })
	if err := mux.ProcessTask(t.Context(), asynq.NewTask(greeting.Name, nil)); !errors.Is(err, broken) {
		t.Errorf("got %v, want the handler's error, which asynq retries", err)
	}
}

func TestEnqueueTimesOut(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	client := tasks.NewClient(redistest.Client(t, server.Config()), 200*time.Millisecond)
	server.Stop()
	begin := time.Now()
	if err := greeting.Enqueue(t.Context(), client); err == nil {
		t.Error("enqueued without Redis")
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("the enqueue took %s", took)
	}
}

// TestWipedRedis checks that the queue is listed again after a wipe, so that the sweeper and the autoscaler see it.
func TestWipedRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.Client(t, redistest.New(t))
	client := tasks.NewClient(redis, time.Minute)
	inspector := asynq.NewInspectorFromRedisClient(redis)
	for range 2 {
		if err := greeting.Enqueue(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		if queues, err := inspector.Queues(); err != nil || !slices.Contains(queues, redistest.Queue(t, redis, greeting.Queue)) {
			t.Errorf("the queues are %v, %v", queues, err)
		}
		if err := redis.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}
