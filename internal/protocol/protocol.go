// Package protocol holds what the services that write batches and the one that folds them agree on, beside the tables
// themselves.
package protocol

import (
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"

	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
)

// The kinds of rows that a batch holds, as in ingest.batches.kind.
const (
	KindEvents    = "events"
	KindPurchases = "purchases"
)

// BatchReady wakes an aggregator: a batch was committed and is pending. It is a hint and nothing more. A lost one is
// replaced by the sweeper, and whoever runs one folds whatever is pending, so it fails cheaply and is not worth many
// retries.
var BatchReady = tasks.Type[BatchReadyPayload]{
	Name:    "aggregate:batch",
	Queue:   "rollups",
	Options: []asynq.Option{asynq.MaxRetry(3), asynq.Timeout(time.Minute)},
}

// BatchReadyPayload names the batch that was committed.
type BatchReadyPayload struct {
	BatchID uuid.UUID `json:"batch_id"`
}
