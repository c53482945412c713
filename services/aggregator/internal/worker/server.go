package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
)

const (
	// pollInterval is how soon an idle worker sees a new task. Asynq polls; its default of a second would be most of
	// the time from an event to its number.
	pollInterval = 50 * time.Millisecond
	// retryDelay is how soon a failed fold is tried again. The sweeper would come anyway.
	retryDelay = 2 * time.Second
	// shutdownTimeout is how long folds in progress may take when the process stops; a fold that is cut is rolled back.
	shutdownTimeout = 10 * time.Second
)

// Run works on wake-up tasks until ctx ends. It starts without Redis and goes on when Redis is back.
func Run(ctx context.Context, client redis.UniversalClient, worker *Worker, concurrency int, tracing trace.TracerProvider, logger *slog.Logger) error {
	server := asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency:       concurrency,
		Queues:            map[string]int{protocol.BatchReady.Queue: 1},
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
	// One fold a task and not more: the queue then empties in step with the work, and its length is what is scaled on.
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
