// Package tasks wraps Asynq: tasks have no payload, headers carry the trace context, and an enqueue has a time limit.
//
// A task is a wake-up call without data. Asynq delivers at least once, and loses all tasks when Redis is wiped. Therefore the
// work itself is stored in Postgres, and a handler must expect to run twice, late, or with nothing to do.
package tasks

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
)

// Type is a kind of task.
type Type struct {
	Name    string
	Queue   string         // each installation has its own, see redis.Client.Queue
	Options []asynq.Option // retries, timeout
}

// Client enqueues tasks.
type Client struct {
	redis   *redis.Client
	timeout time.Duration
}

// NewClient returns a client that uses the given Redis client. The caller closes that one. One enqueue takes at most timeout.
func NewClient(client *redis.Client, timeout time.Duration) *Client {
	return &Client{redis: client, timeout: timeout}
}

// Enqueue adds a task. The trace context of ctx travels in the task's headers, and so do links to the work that the task is for.
// The caller logs and counts the error; a lost task only delays the work.
func (t Type) Enqueue(ctx context.Context, c *Client, links ...trace.Link) error {
	headers := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, headers)
	addLinks(headers, links)
	// The task is still needed if the request ends before Redis answers.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
	defer cancel()
	// An Asynq client registers the name of a queue in Redis only once. After a wipe of Redis the name is gone, and the
	// sweeper and the autoscaler, which list the queues, no longer see it. A new client for each task registers it again,
	// at the price of a round trip.
	client := asynq.NewClientFromRedisClient(c.redis)
	queue, err := c.redis.Queue(ctx, t.Queue)
	if err != nil {
		return fmt.Errorf("enqueue %s: %w", t.Name, err)
	}
	options := append([]asynq.Option{asynq.Queue(queue)}, t.Options...)
	if _, err := client.EnqueueContext(ctx, asynq.NewTaskWithHeaders(t.Name, nil, headers), options...); err != nil {
		return fmt.Errorf("enqueue %s: %w", t.Name, err)
	}
	return nil
}

// Handle registers handle for tasks of type t. Each run continues the trace of the enqueuer, and has the links of the task.
func (t Type) Handle(mux *asynq.ServeMux, tracing trace.TracerProvider, handle func(ctx context.Context) error) {
	tracer := tracing.Tracer("tasks")
	mux.HandleFunc(t.Name, func(ctx context.Context, task *asynq.Task) error {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(task.Headers()))
		links := linksOf(task.Headers())
		ctx, span := tracer.Start(ctx, t.Name, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(links...))
		defer span.End()
		err := handle(context.WithValue(ctx, linksKey{}, links))
		if err != nil {
			span.RecordError(err)
			span.SetStatus(codes.Error, "the task failed")
		}
		return err
	})
}

// Logger adapts a slog.Logger to Asynq. It logs each message one level lower than requested, because Asynq reports every failed
// poll while Redis is down.
type Logger struct{ *slog.Logger }

// Debug implements asynq.Logger.
func (l Logger) Debug(args ...any) { l.Logger.Debug("asynq", "text", fmt.Sprint(args...)) }

// Info implements asynq.Logger.
func (l Logger) Info(args ...any) { l.Logger.Debug("asynq", "text", fmt.Sprint(args...)) }

// Warn implements asynq.Logger.
func (l Logger) Warn(args ...any) { l.Logger.Info("asynq", "text", fmt.Sprint(args...)) }

// Error implements asynq.Logger.
func (l Logger) Error(args ...any) { l.Logger.Warn("asynq", "text", fmt.Sprint(args...)) }

// Fatal implements asynq.Logger. It does not exit the process; that is up to the lifecycle.
func (l Logger) Fatal(args ...any) { l.Logger.Error("asynq", "text", fmt.Sprint(args...)) }
