// Package retention shows and drops raw events past their retention, for the command line, by the rules of the aggregator's maintenance. Rollups,
// orders and refunds are kept.
package retention

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/schedule"
)

// Partition has the raw events of a week, from Monday to Sunday in UTC.
type Partition = postgres.Partition

// Expired are the raw events past their retention.
type Expired = postgres.Expired

// FirstKept returns the first UTC day whose raw events are kept. Those of the days before it go with the last day of their week.
func FirstKept(now time.Time, days int) time.Time {
	return schedule.Expiry(now, time.Duration(days)*24*time.Hour)
}

// Show returns the expired partitions, and those that pending batches keep.
func Show(ctx context.Context, pool *pgxpool.Pool, firstKept time.Time) (Expired, error) {
	return postgres.Store{Pool: pool}.Expired(ctx, firstKept)
}

// Drop drops the expired partitions and returns them. Those with rows of batches that are pending or failed stay for their projects, and
// after a day the rows of other projects are deleted from them. Partitions beside an error are dropped, and the aggregator deletes
// what else is to go.
func Drop(ctx context.Context, pool *pgxpool.Pool, firstKept time.Time) ([]Partition, error) {
	return postgres.Store{Pool: pool}.DropExpired(audit.WithCommand(ctx), firstKept)
}
