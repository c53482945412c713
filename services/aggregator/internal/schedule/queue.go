package schedule

import (
	"context"
	"fmt"
	"slices"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
)

// AsynqQueue is the queue of wake-up tasks in Redis.
type AsynqQueue struct {
	inspector *asynq.Inspector
	client    *tasks.Client
}

var _ Queue = (*AsynqQueue)(nil)

// NewAsynqQueue returns the queue on client, which stays the caller's to close.
func NewAsynqQueue(client redis.UniversalClient, enqueue *tasks.Client) *AsynqQueue {
	return &AsynqQueue{inspector: asynq.NewInspectorFromRedisClient(client), client: enqueue}
}

// Waiting implements Queue. Tasks that a worker has taken are not counted: the worker may be dead, and Asynq would take
// more than a minute to notice.
func (q *AsynqQueue) Waiting(context.Context) (int, error) {
	// Asked about a queue that does not exist, the inspector answers with an error that cannot be told from others.
	queues, err := q.inspector.Queues()
	if err != nil {
		return 0, fmt.Errorf("list the queues: %w", err)
	}
	if !slices.Contains(queues, protocol.BatchReady.Queue) {
		return 0, nil // never used since Redis was last emptied
	}
	info, err := q.inspector.GetQueueInfo(protocol.BatchReady.Queue)
	if err != nil {
		return 0, fmt.Errorf("inspect the queue: %w", err)
	}
	return info.Pending, nil
}

// Clear implements Queue. Tasks that a worker has taken are left to it.
func (q *AsynqQueue) Clear(context.Context) (int, error) {
	n, err := q.inspector.DeleteAllPendingTasks(protocol.BatchReady.Queue)
	if err != nil {
		return 0, fmt.Errorf("clear the queue: %w", err)
	}
	return n, nil
}

// Wake implements Queue.
func (q *AsynqQueue) Wake(ctx context.Context) error {
	return protocol.BatchReady.Enqueue(ctx, q.client)
}
