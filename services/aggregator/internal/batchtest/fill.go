package batchtest

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// fillBatch is how many events a batch of Fill has.
const fillBatch = 1000

// Fill commits at least n pending events of many products and users, spread over the writer's days, in batches of 1,000.
// Postgres generates them, because sending millions of rows would take much longer.
func (w *Writer) Fill(n, products, users int) (events int) {
	w.tb.Helper()
	ctx := context.WithoutCancel(w.tb.Context())
	const product = `('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid`
	w.exec(`
		INSERT INTO catalog.products (id, sku, name, price_minor, currency)
		SELECT `+product+`, 'sku-' || n, 'sku-' || n, 100, 'EUR' FROM generate_series(1, $1::int) AS n ON CONFLICT DO NOTHING`, products)
	// Few products and users get most rows, as in production.
	fill := `
		WITH made AS (
			SELECT ('01900000-0000-7000-9000-' || lpad(to_hex(batch), 12, '0'))::uuid AS batch_id,
			       date_trunc('microsecond', $1::timestamptz + random() * interval '86399 s') AS ts,
			       1 + floor(power(random(), 2) * $4)::int AS n, 'user-' || floor(power(random(), 2) * $5)::int AS user_id,
			       (ARRAY['view', 'view', 'view', 'view', 'click', 'click', 'add_to_cart', 'search'])[1 + floor(random() * 8)::int] AS type
			FROM generate_series($2::bigint, $3::bigint) AS batch, generate_series(1, ` + strconv.Itoa(fillBatch) + `)
		), batches AS (
			INSERT INTO ingest.batches (id, kind, rows, min_ts, max_ts)
			SELECT batch_id, 'events', count(*), min(ts), max(ts) FROM made GROUP BY batch_id
		)
		INSERT INTO ingest.events (owner, ts, received_at, id, product_id, batch_id, user_id, type)
		SELECT 1, ts, now(), gen_random_uuid(), ` + product + `, batch_id, user_id, type FROM made`
	batchesOfDay := (n + fillBatch*w.Days - 1) / (fillBatch * w.Days)
	for day := range w.Days {
		first := day * batchesOfDay
		err := pgx.BeginFunc(ctx, w.Pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, fill, w.First.AddDate(0, 0, day), first, first+batchesOfDay-1, products, users)
			return err
		})
		if err != nil {
			w.tb.Fatalf("fill %s: %v", w.First.AddDate(0, 0, day), err)
		}
		events += batchesOfDay * fillBatch
	}
	return events
}
