// Package tasks wraps Asynq: tasks without a payload, trace context in task headers, and bounded time for an enqueue.
//
// A task is a wake-up call. Asynq delivers at least once and may lose everything with its Redis, so a task carries no
// data: the work is in Postgres, and a handler may run twice, late or with nothing to do.
package tasks

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Type is a kind of task.
type Type struct {
	Name    string
	Queue   string
	Options []asynq.Option // retries, timeout
}

// Client enqueues tasks.
type Client struct {
	redis   redis.UniversalClient
	timeout time.Duration
}

// NewClient returns a client on redis, which stays the caller's to close. One enqueue takes at most timeout.
func NewClient(client redis.UniversalClient, timeout time.Duration) *Client {
	return &Client{redis: client, timeout: timeout}
}

// Enqueue adds a task. The trace context of ctx travels in the task's headers. The caller logs and counts the error;
// nothing else depends on it.
func (t Type) Enqueue(ctx context.Context, c *Client) error {
	headers := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, headers)
	// The request may end before Redis answers. The task is still wanted.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
	defer cancel()
	// An Asynq client registers the name of a queue in Redis only once. After a wipe of Redis the name is gone, and the
	// sweeper and the autoscaler, which list the queues, no longer see it. A new client for each task registers it again,
	// at the price of a round trip.
	client := asynq.NewClientFromRedisClient(c.redis)
	options := append([]asynq.Option{asynq.Queue(t.Queue)}, t.Options...)
	if _, err := client.EnqueueContext(ctx, asynq.NewTaskWithHeaders(t.Name, nil, headers), options...); err != nil {
		return fmt.Errorf("enqueue %s: %w", t.Name, err)
	}
	return nil
}

// Handle registers handle for tasks of type t. Each run continues the trace of the enqueuer.
func (t Type) Handle(mux *asynq.ServeMux, tracing trace.TracerProvider, handle func(ctx context.Context) error) {
	tracer := tracing.Tracer("tasks")
	mux.HandleFunc(t.Name, func(ctx context.Context, task *asynq.Task) error {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(task.Headers()))
		ctx, span := tracer.Start(ctx, t.Name, trace.WithSpanKind(trace.SpanKindConsumer))
		defer span.End()
		return handle(ctx)
	})
}

// Logger adapts a slog.Logger to Asynq. While Redis is down Asynq reports every failed poll, so each of its messages is
// logged one level below the one it asks for.
type Logger struct{ *slog.Logger }

// Debug implements asynq.Logger.
func (l Logger) Debug(args ...any) { l.Logger.Debug("asynq", "text", fmt.Sprint(args...)) }

// Info implements asynq.Logger.
func (l Logger) Info(args ...any) { l.Logger.Debug("asynq", "text", fmt.Sprint(args...)) }

// Warn implements asynq.Logger.
func (l Logger) Warn(args ...any) { l.Logger.Info("asynq", "text", fmt.Sprint(args...)) }

// Error implements asynq.Logger.
func (l Logger) Error(args ...any) { l.Logger.Warn("asynq", "text", fmt.Sprint(args...)) }

// Fatal implements asynq.Logger. It does not end the process; the lifecycle decides about that.
func (l Logger) Fatal(args ...any) { l.Logger.Error("asynq", "text", fmt.Sprint(args...)) }
