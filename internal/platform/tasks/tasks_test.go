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

type payload struct {
	Word string `json:"word"`
}

var greeting = tasks.Type[payload]{Name: "test:greet", Queue: "tests", Options: []asynq.Option{asynq.MaxRetry(1)}}

func TestPayloadAndTraceTravel(t *testing.T) {
	t.Parallel()
	redis := redistest.Client(t, redistest.New(t))
	tracing := sdktrace.NewTracerProvider()
	type run struct {
		payload payload
		trace   trace.TraceID
	}
	runs := make(chan run, 1)
	mux := asynq.NewServeMux()
	greeting.Handle(mux, tracing, func(ctx context.Context, p payload) error {
		runs <- run{p, trace.SpanContextFromContext(ctx).TraceID()}
		return nil
	})
	server := asynq.NewServerFromRedisClient(redis, asynq.Config{
		Queues: map[string]int{greeting.Queue: 1}, TaskCheckInterval: 20 * time.Millisecond, Logger: tasks.Logger{Logger: platformtest.Logger(t)},
	})
	if err := server.Start(mux); err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown()

	ctx, span := tracing.Tracer("test").Start(t.Context(), "request")
	ctx, cancel := context.WithCancel(ctx)
	cancel() // the request is over: the task is wanted all the same
	if err := greeting.Enqueue(ctx, tasks.NewClient(redis, time.Second), payload{Word: "hello"}); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-runs:
		if got.payload.Word != "hello" || got.trace != span.SpanContext().TraceID() {
			t.Errorf("ran with %+v in trace %s, want trace %s", got.payload, got.trace, span.SpanContext().TraceID())
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the task was not run")
	}
}

func TestABadPayloadIsNotRetried(t *testing.T) {
	t.Parallel()
	mux := asynq.NewServeMux()
	greeting.Handle(mux, sdktrace.NewTracerProvider(), func(context.Context, payload) error {
		t.Error("the handler ran")
		return nil
	})
	if err := mux.ProcessTask(t.Context(), asynq.NewTask(greeting.Name, []byte("{"))); !errors.Is(err, asynq.SkipRetry) {
		t.Errorf("got %v", err)
	}
}

func TestEnqueueDoesNotWaitForRedis(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	client := tasks.NewClient(redistest.Client(t, server.Config()), 200*time.Millisecond)
	server.Stop()
	begin := time.Now()
	if err := greeting.Enqueue(t.Context(), client, payload{}); err == nil {
		t.Error("enqueued without Redis")
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestWipedRedis makes sure that the queue is seen again by those who list the queues.
func TestWipedRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.Client(t, redistest.New(t))
	client := tasks.NewClient(redis, time.Second)
	inspector := asynq.NewInspectorFromRedisClient(redis)
	for range 2 {
		if err := greeting.Enqueue(t.Context(), client, payload{}); err != nil {
			t.Fatal(err)
		}
		if queues, err := inspector.Queues(); err != nil || !slices.Contains(queues, greeting.Queue) {
			t.Errorf("the queues are %v, %v", queues, err)
		}
		if err := redis.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}
