// Package batches lists and releases failed batches, for the command line: those that the aggregator could not fold and set aside.
package batches

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// Failed is a failed batch.
type Failed = postgres.FailedBatch

// List returns the failed batches, those that are retried first at the beginning.
func List(ctx context.Context, pool *pgxpool.Pool) ([]Failed, error) {
	return postgres.Store{Pool: pool}.Failed(ctx)
}

// Release makes failed batches due now and returns those that it found. Ids that are not failed batches are left out.
func Release(ctx context.Context, pool *pgxpool.Pool, ids []int64) ([]int64, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return postgres.Store{Pool: pool}.Release(audit.WithCommand(ctx), ids...)
}

// ReleaseAll makes all failed batches due now and returns them.
func ReleaseAll(ctx context.Context, pool *pgxpool.Pool) ([]int64, error) {
	return postgres.Store{Pool: pool}.Release(audit.WithCommand(ctx))
}
