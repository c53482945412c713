package schedule

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/migrations/protocol"
)

// allQueues is where Asynq lists its queues, and whoever inspects one looks there first. An Asynq client adds a queue with
// the first task of its life, so after a wipe of Redis nobody would, and the queue would look empty for ever.
const allQueues = "asynq:queues"

// AsynqQueue is the queue of wake-up tasks in Redis.
type AsynqQueue struct {
	redis     redis.UniversalClient
	inspector *asynq.Inspector
	client    *tasks.Client
}

var _ Queue = (*AsynqQueue)(nil)

// NewAsynqQueue returns the queue on client, which stays the caller's to close.
func NewAsynqQueue(client redis.UniversalClient, enqueue *tasks.Client) *AsynqQueue {
	return &AsynqQueue{redis: client, inspector: asynq.NewInspectorFromRedisClient(client), client: enqueue}
}

// Waiting implements Queue. Tasks that a worker has taken are not counted: the worker may be dead, and Asynq would take
// more than a minute to notice.
func (q *AsynqQueue) Waiting(ctx context.Context) (int, error) {
	if err := q.redis.SAdd(ctx, allQueues, protocol.BatchReady.Queue).Err(); err != nil {
		return 0, fmt.Errorf("list the queue: %w", err)
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
func (q *AsynqQueue) Wake(ctx context.Context, batch uuid.UUID) error {
	return protocol.BatchReady.Enqueue(ctx, q.client, protocol.BatchReadyPayload{BatchID: batch}) //nolint:wrapcheck // says what
}
