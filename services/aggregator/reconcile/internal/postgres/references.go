package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// UnknownProduct is a product of raw rows that is not in the catalog.
type UnknownProduct struct {
	Table   string // of the rows
	Day     time.Time
	Product uuid.UUID
	Rows    int64
}

// UnknownProducts calls fn for each product of each day of a span that has raw rows and is not in the catalog.
func (s Snapshot) UnknownProducts(ctx context.Context, span Span, fn func(UnknownProduct) error) error {
	const query = `
		SELECT source, day, product_id, n
		FROM (
			SELECT 'ingest.events' AS source, ` + dayOfRow + ` AS day, product_id, count(*) AS n FROM ingest.events
			WHERE ` + rawOfSpan + `
			GROUP BY 2, 3
			UNION ALL
			SELECT 'ingest.purchases', ` + dayOfRow + `, product_id, count(*) FROM ingest.purchases
			WHERE ` + rawOfSpan + `
			GROUP BY 2, 3
		) AS raw
		WHERE NOT EXISTS (SELECT FROM catalog.products p WHERE p.id = raw.product_id)`
	rows, err := s.tx.Query(ctx, query, span.From, span.To)
	if err != nil {
		return fmt.Errorf("check references: %w", err)
	}
	var u UnknownProduct
	if _, err := pgx.ForEachRow(rows, []any{&u.Table, &u.Day, &u.Product, &u.Rows}, func() error { return fn(u) }); err != nil {
		return fmt.Errorf("check references: %w", err)
	}
	return nil
}

// IncompleteBatches calls fn for each batch of a range whose number of rows differs from its receipt. Batches whose raw rows
// may be gone are left out. Receipts are kept for days and raw rows for months: only the days of receipts are read.
func (s Snapshot) IncompleteBatches(ctx context.Context, from, to *time.Time, fn func(batch uuid.UUID, promised, present int64) error) error {
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
	rows, err := s.tx.Query(ctx, query, from, to)
	if err != nil {
		return fmt.Errorf("check receipts: %w", err)
	}
	var batch uuid.UUID
	var promised, present int64
	_, err = pgx.ForEachRow(rows, []any{&batch, &promised, &present}, func() error { return fn(batch, promised, present) })
	if err != nil {
		return fmt.Errorf("check receipts: %w", err)
	}
	return nil
}
