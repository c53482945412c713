package schedule

import (
	"context"
	"fmt"
	"slices"

	"github.com/hibiken/asynq"

	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
)

// AsynqQueue is the queue of wake-up tasks in Redis.
type AsynqQueue struct {
	redis     *redis.Client
	inspector *asynq.Inspector
	client    *tasks.Client
}

var _ Queue = (*AsynqQueue)(nil)

// NewAsynqQueue returns the queue on client. The caller closes client.
func NewAsynqQueue(client *redis.Client, enqueue *tasks.Client) *AsynqQueue {
	return &AsynqQueue{redis: client, inspector: asynq.NewInspectorFromRedisClient(client), client: enqueue}
}

// Waiting implements Queue. It does not count tasks in progress: their worker may have died, which Asynq notices only after
// more than a minute.
func (q *AsynqQueue) Waiting(ctx context.Context) (int, error) {
	info, err := q.info(ctx)
	if err != nil || info == nil {
		return 0, err
	}
	return info.Pending, nil
}

// info inspects the queue. It is nil if the queue was not used since Redis was last wiped.
func (q *AsynqQueue) info(ctx context.Context) (*asynq.QueueInfo, error) {
	name, err := q.redis.Queue(ctx, protocol.BatchReady.Queue)
	if err != nil {
		return nil, fmt.Errorf("name the queue: %w", err)
	}
	// GetQueueInfo returns the same error for a missing queue as for other failures, so check that the queue exists.
	queues, err := q.inspector.Queues()
	if err != nil {
		return nil, fmt.Errorf("list the queues: %w", err)
	}
	if !slices.Contains(queues, name) {
		return nil, nil //nolint:nilnil // there is none
	}
	info, err := q.inspector.GetQueueInfo(name)
	if err != nil {
		return nil, fmt.Errorf("inspect the queue: %w", err)
	}
	return info, nil
}

// Clear implements Queue. It keeps tasks in progress.
func (q *AsynqQueue) Clear(ctx context.Context) (int, error) {
	name, err := q.redis.Queue(ctx, protocol.BatchReady.Queue)
	if err != nil {
		return 0, fmt.Errorf("name the queue: %w", err)
	}
	n, err := q.inspector.DeleteAllPendingTasks(name)
	if err != nil {
		return 0, fmt.Errorf("clear the queue: %w", err)
	}
	return n, nil
}

// Wake implements Queue.
func (q *AsynqQueue) Wake(ctx context.Context) error {
	return protocol.BatchReady.Enqueue(ctx, q.client)
}
