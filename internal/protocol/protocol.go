// Package protocol holds what the services that write batches and the one that folds them agree on, beside the tables
// themselves.
package protocol

import (
	"time"

	"github.com/hibiken/asynq"

	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
)

// The kinds of rows that a batch holds, as in ingest.batches.kind.
const (
	KindEvents  = "events"
	KindOrders  = "orders"
	KindRefunds = "refunds"
)

// BatchReady wakes an aggregator: a batch was committed and is pending. It is only a hint: a worker that runs it folds
// everything that is pending, and the sweeper replaces a lost one. So a failed task is cheap and not worth many retries.
var BatchReady = tasks.Type{
	Name:    "aggregate:batch",
	Queue:   "rollups",
	Options: []asynq.Option{asynq.MaxRetry(3), asynq.Timeout(time.Minute)},
}
