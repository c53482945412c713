package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
)

const (
	// pollInterval is how often an idle worker looks for a task. Asynq polls, and its default of a second would be most of
	// the time until an event is in the numbers.
	pollInterval = 50 * time.Millisecond
	// retryDelay is the time until a failed task is retried. The sweeper finds the batches in any case.
	retryDelay = 2 * time.Second
	// shutdownTimeout is how long the process waits for folds in flight when it stops. A fold that is cut off is rolled back.
	shutdownTimeout = 10 * time.Second
)

// awaitQueue returns the name of the queue as soon as the database has told its identity, or false if ctx ends before.
func awaitQueue(ctx context.Context, client *redis.Client, logger *slog.Logger) (queue string, known bool) {
	for {
		queue, err := client.Queue(ctx, protocol.BatchReady.Queue)
		if err == nil {
			return queue, true
		}
		logger.InfoContext(ctx, "the worker waits for the database", "err", err)
		select {
		case <-time.After(retryDelay):
		case <-ctx.Done():
			return "", false
		}
	}
}

// Run handles wake-up tasks until ctx ends. It starts without Redis and continues when Redis is back.
func Run(ctx context.Context, client *redis.Client, worker *Worker, concurrency int, tracing trace.TracerProvider, logger *slog.Logger) error {
	queue, known := awaitQueue(ctx, client, logger)
	if !known {
		return nil
	}
	server := asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency:       concurrency,
		Queues:            map[string]int{queue: 1},
		TaskCheckInterval: pollInterval,
		ShutdownTimeout:   shutdownTimeout,
		RetryDelayFunc:    func(int, error, *asynq.Task) time.Duration { return retryDelay },
		BaseContext:       func() context.Context { return context.WithoutCancel(ctx) },
		Logger:            tasks.Logger{Logger: logger},
		ErrorHandler: asynq.ErrorHandlerFunc(func(ctx context.Context, task *asynq.Task, err error) {
			logger.WarnContext(ctx, "task failed", "type", task.Type(), "err", err)
		}),
	})
	mux := asynq.NewServeMux()
	// One fold per task: the length of the queue, by which workers are scaled, then falls in step with the work.
	protocol.BatchReady.Handle(mux, tracing, func(ctx context.Context) error {
		_, err := worker.Fold(ctx)
		return err
	})
	if err := server.Start(mux); err != nil {
		return fmt.Errorf("start the task server: %w", err)
	}
	<-ctx.Done()
	server.Shutdown()
	return nil
}
