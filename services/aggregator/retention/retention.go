// Package retention shows and drops raw rows that are older than they are kept, by the rules of the aggregator's upkeep.
// Rollups stay.
package retention

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/schedule"
)

// Partition is a day of raw rows of one kind.
type Partition = postgres.Partition

// Expired is what is older than raw rows are kept.
type Expired = postgres.Expired

// FirstKept returns the first day that is kept.
func FirstKept(now time.Time, days int) time.Time {
	return schedule.Expiry(now, time.Duration(days)*24*time.Hour)
}

// Show returns the expired partitions, and what keeps them from being dropped.
func Show(ctx context.Context, pool *pgxpool.Pool, firstKept time.Time) (Expired, error) {
	return postgres.Store{Pool: pool}.Expired(ctx, firstKept)
}

// Drop drops the expired partitions and returns what it dropped: nothing while batches with rows of those days pend.
func Drop(ctx context.Context, pool *pgxpool.Pool, firstKept time.Time) ([]Partition, error) {
	return postgres.Store{Pool: pool}.DropExpired(ctx, firstKept)
}
