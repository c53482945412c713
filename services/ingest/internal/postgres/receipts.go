package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// Receipt tells what became of a batch.
type Receipt struct {
	Batch        int64
	ReceivedAt   time.Time
	Rows         int
	AggregatedAt *time.Time // nil while the batch is pending or failed
	Failed       bool       // the aggregator could not fold it and will try again
}

// Receipt returns the receipt of a batch of a project, or NotFound.
func (s *Store) Receipt(ctx context.Context, project int16, batch int64) (Receipt, error) {
	const query = `
		SELECT received_at, rows, aggregated_at, failed_at IS NOT NULL
		FROM ingest.batches
		WHERE project = $1 AND id = $2`
	r := Receipt{Batch: batch}
	err := s.pool.QueryRow(ctx, query, project, batch).Scan(&r.ReceivedAt, &r.Rows, &r.AggregatedAt, &r.Failed)
	if errors.Is(err, pgx.ErrNoRows) {
		return Receipt{}, errs.New(errs.NotFound, "not_found", "There is no receipt with this id, or it is no longer kept.")
	}
	if err != nil {
		return Receipt{}, postgres.Classify(fmt.Errorf("read the receipt of batch %d: %w", batch, err))
	}
	return r, nil
}
