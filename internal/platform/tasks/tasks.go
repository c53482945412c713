// Package tasks wraps Asynq: typed task payloads, trace context in task headers, and bounded time for an enqueue.
//
// A task is a wake-up call. Asynq delivers at least once and may lose everything with its Redis, so no task carries
// data that is not in Postgres and every handler can run twice, late or for nothing.
package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Type names a kind of task and binds its payload type.
type Type[P any] struct {
	Name    string
	Queue   string
	Options []asynq.Option // defaults of this type: retention, retries, timeout
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

// Enqueue adds a task. The trace context of ctx travels in the task's headers. The error is the caller's to log and
// count: by the rule of this package nothing else depends on it.
func (t Type[P]) Enqueue(ctx context.Context, c *Client, payload P, options ...asynq.Option) error {
	body, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encode the payload of %s: %w", t.Name, err)
	}
	headers := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, headers)
	// The request may be over before Redis answers; the wake-up is still wanted.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
	defer cancel()
	// A client of Asynq tells Redis the name of a queue once. A Redis that was wiped has forgotten it, and then nobody sees
	// the queue who asks which there are: not the sweeper, and not what scales workers by it. So each task has a new client,
	// which costs a round trip.
	client := asynq.NewClientFromRedisClient(c.redis)
	all := append(append([]asynq.Option{asynq.Queue(t.Queue)}, t.Options...), options...)
	if _, err := client.EnqueueContext(ctx, asynq.NewTaskWithHeaders(t.Name, body, headers), all...); err != nil {
		return fmt.Errorf("enqueue %s: %w", t.Name, err)
	}
	return nil
}

// Handle registers handle for tasks of type t. Each run continues the trace of the enqueuer.
func (t Type[P]) Handle(mux *asynq.ServeMux, tracing trace.TracerProvider, handle func(ctx context.Context, payload P) error) {
	tracer := tracing.Tracer("tasks")
	mux.HandleFunc(t.Name, func(ctx context.Context, task *asynq.Task) error {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(task.Headers()))
		ctx, span := tracer.Start(ctx, t.Name, trace.WithSpanKind(trace.SpanKindConsumer))
		defer span.End()
		var payload P
		if err := json.Unmarshal(task.Payload(), &payload); err != nil {
			return fmt.Errorf("decode the payload of %s: %w: %w", t.Name, err, asynq.SkipRetry)
		}
		return handle(ctx, payload)
	})
}

// Logger adapts a slog.Logger to Asynq. Asynq reports each failed poll of a Redis that is down; those repeat, so all of
// Asynq's own messages are logged one level below what it asks for.
type Logger struct{ *slog.Logger }

// Debug implements asynq.Logger.
func (l Logger) Debug(args ...any) { l.Logger.Debug("asynq", "text", fmt.Sprint(args...)) }

// Info implements asynq.Logger.
func (l Logger) Info(args ...any) { l.Logger.Debug("asynq", "text", fmt.Sprint(args...)) }

// Warn implements asynq.Logger.
func (l Logger) Warn(args ...any) { l.Logger.Info("asynq", "text", fmt.Sprint(args...)) }

// Error implements asynq.Logger.
func (l Logger) Error(args ...any) { l.Logger.Warn("asynq", "text", fmt.Sprint(args...)) }

// Fatal implements asynq.Logger. It does not end the process: that is the lifecycle's decision.
func (l Logger) Fatal(args ...any) { l.Logger.Error("asynq", "text", fmt.Sprint(args...)) }
