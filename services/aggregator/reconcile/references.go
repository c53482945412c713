package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// checkReferences proves what a foreign key would have: every raw row of a day is about a product of the catalog.
func (r *run) checkReferences(ctx context.Context, d time.Time) error {
	const query = `
		SELECT source, product_id, n
		FROM (
			SELECT 'ingest.events' AS source, product_id, count(*) AS n FROM ingest.events
			WHERE ts >= $1::date AND ts < $1::date + 1
			GROUP BY product_id
			UNION ALL
			SELECT 'ingest.purchases', product_id, count(*) FROM ingest.purchases
			WHERE ts >= $1::date AND ts < $1::date + 1
			GROUP BY product_id
		) AS raw
		WHERE NOT EXISTS (SELECT FROM catalog.products p WHERE p.id = raw.product_id)`
	rows, err := r.tx.Query(ctx, query, d)
	if err != nil {
		return fmt.Errorf("check references: %w", err)
	}
	var source string
	var product uuid.UUID
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&source, &product, &n}, func() error {
		return r.differ("%s %s: %d rows are about product %s, which is not in the catalog", source, d.Format(time.DateOnly), n, product)
	})
	if err != nil {
		return fmt.Errorf("check references: %w", err)
	}
	return nil
}

// checkReceipts compares what receipts promise with the rows that are there, for batches of the range whose partitions
// all still exist. Receipts are kept for days and raw rows for months: only the days that receipts are about are read.
func (r *run) checkReceipts(ctx context.Context) error {
	const query = `
		WITH span AS MATERIALIZED (
			SELECT min(min_ts) AS first, max(max_ts) AS last FROM ingest.batches
		), present AS (
			SELECT batch_id, count(*) AS n FROM ingest.events
			WHERE ts >= (SELECT first FROM span) AND ts <= (SELECT last FROM span)
			GROUP BY batch_id
			UNION ALL
			SELECT batch_id, count(*) FROM ingest.purchases
			WHERE ts >= (SELECT first FROM span) AND ts <= (SELECT last FROM span)
			GROUP BY batch_id
		), oldest AS (
			SELECT min(day)::timestamp AT TIME ZONE 'UTC' AS ts
			FROM ingest.whole_days
		)
		SELECT b.id, b.rows, coalesce(present.n, 0)
		FROM ingest.batches b LEFT JOIN present ON present.batch_id = b.id
		WHERE b.rows <> coalesce(present.n, 0)
		  AND (b.rows = 0 OR b.min_ts >= (SELECT ts FROM oldest))
		  AND ($1::date IS NULL OR b.max_ts >= $1) AND ($2::date IS NULL OR b.min_ts < $2::date + 1)`
	rows, err := r.tx.Query(ctx, query, r.options.From, r.options.To)
	if err != nil {
		return fmt.Errorf("check receipts: %w", err)
	}
	var id uuid.UUID
	var promised, present int64
	_, err = pgx.ForEachRow(rows, []any{&id, &promised, &present}, func() error {
		return r.differ("ingest.batches %s: the receipt says %d rows, there are %d", id, promised, present)
	})
	if err != nil {
		return fmt.Errorf("check receipts: %w", err)
	}
	return nil
}
