package check

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
)

// Queue inspects the queue of wake-up tasks.
type Queue struct {
	client    *redis.Client
	inspector *asynq.Inspector
}

// NewQueue returns the queue on client. The caller closes client.
func NewQueue(client *redis.Client) *Queue {
	return &Queue{client: client, inspector: asynq.NewInspectorFromRedisClient(client)}
}

// Left is the remaining work.
type Left struct {
	Batches int // pending in Postgres
	Tasks   int // waiting, active and to be retried
}

// Remaining returns the remaining work.
func Remaining(ctx context.Context, db *pgxpool.Pool, queue *Queue) (left Left, err error) {
	const pending = `SELECT count(*) FROM ingest.batches WHERE aggregated_at IS NULL`
	if err := db.QueryRow(ctx, pending).Scan(&left.Batches); err != nil {
		return Left{}, fmt.Errorf("count pending batches: %w", err)
	}
	info, err := queue.info(ctx)
	if err != nil || info == nil {
		return left, err
	}
	left.Tasks = info.Pending + info.Active + info.Scheduled + info.Retry + info.Aggregating
	return left, nil
}

// info returns nil if the queue does not exist, because nothing was enqueued since Redis was last wiped.
func (q *Queue) info(ctx context.Context) (*asynq.QueueInfo, error) {
	name, err := q.client.Queue(ctx, protocol.BatchReady.Queue)
	if err != nil {
		return nil, fmt.Errorf("name the queue: %w", err)
	}
	queues, err := q.inspector.Queues()
	if err != nil {
		return nil, fmt.Errorf("list the queues: %w", err)
	}
	if !slices.Contains(queues, name) {
		return nil, q.unlisted(ctx, name)
	}
	info, err := q.inspector.GetQueueInfo(name)
	if err != nil {
		return nil, fmt.Errorf("inspect the queue: %w", err)
	}
	return info, nil
}

// errUnlisted says that Asynq does not list the queue, so neither the sweeper nor the autoscaler can see it.
var errUnlisted = errors.New("the queue holds tasks, but its name is lost")

func (q *Queue) unlisted(ctx context.Context, name string) error {
	keys, _, err := q.client.Scan(ctx, 0, "asynq:{"+name+"}:t:*", 1_000_000).Result()
	if err != nil {
		return fmt.Errorf("look for tasks: %w", err)
	}
	if len(keys) > 0 {
		return errUnlisted
	}
	return nil
}

// queue checks that no work is left. Tasks that Asynq has archived after their retries are harmless if no batch is pending:
// other tasks have folded their batches.
func (c *Checker) queue(ctx context.Context) (archived int, findings []string, err error) {
	left, err := Remaining(ctx, c.DB, c.Queue)
	if errors.Is(err, errUnlisted) {
		return 0, []string{err.Error()}, nil
	}
	if err != nil {
		return 0, nil, err
	}
	if left.Batches > 0 {
		findings = append(findings, fmt.Sprintf("%d batches are left pending", left.Batches))
	}
	if left.Tasks > 0 {
		findings = append(findings, fmt.Sprintf("%d tasks are left in the queue", left.Tasks))
	}
	info, err := c.Queue.info(ctx)
	if err != nil || info == nil {
		return 0, findings, err
	}
	return info.Archived, findings, nil
}
