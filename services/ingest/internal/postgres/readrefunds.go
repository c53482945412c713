package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// selectRefunds reads the refunds of the relation r with their lines.
const selectRefunds = `
	SELECT r.project, r.id, coalesce(r.number, ''), coalesce(r.order_id, '00000000-0000-0000-0000-000000000000'),
	       coalesce((SELECT o.number FROM ingest.orders AS o WHERE o.project = r.project AND o.id = r.order_id), ''),
	       r.ts, coalesce(r.reason, ''), r.currency, r.user_n, r.content_hash, r.batch, r.received_at, l.*
	FROM r
	CROSS JOIN LATERAL (
		SELECT array_agg(l.line ORDER BY l.line), array_agg(l.product ORDER BY l.line), array_agg(p.id ORDER BY l.line),
		       array_agg(p.sku ORDER BY l.line), array_agg(l.units ORDER BY l.line), array_agg(l.amount_minor ORDER BY l.line)
		FROM ingest.refund_lines AS l
		CROSS JOIN LATERAL (SELECT p.id, p.sku FROM catalog.products AS p WHERE p.n = l.product LIMIT 1) AS p
		WHERE l.project = r.project AND l.refund_id = r.id
	) AS l
	ORDER BY r.ts, r.id`

// refundsByKey returns those of the refunds with some keys that are stored.
func (s *Store) refundsByKey(ctx context.Context, keys []order.Key) (map[order.Key]order.Refund, error) {
	found := make(map[order.Key]order.Refund, len(keys))
	if len(keys) == 0 {
		return found, nil
	}
	const query = `
		WITH r AS (
			SELECT r.*
			FROM unnest($1::smallint[], $2::uuid[]) AS sent (project, id)
			CROSS JOIN LATERAL (
				SELECT * FROM ingest.refunds AS r WHERE r.project = sent.project AND r.id = sent.id LIMIT 1
			) AS r
		)` + selectRefunds
	projects, ids := make([]int16, len(keys)), make([][16]byte, len(keys))
	for i, key := range keys {
		projects[i], ids[i] = key.Project, key.ID
	}
	rows, _ := s.pool.Query(ctx, query, projects, ids) // CollectRows returns its error
	refunds, err := pgx.CollectRows(rows, scanRefund)
	if err != nil {
		return nil, fmt.Errorf("look up %d refunds: %w", len(keys), err)
	}
	for i := range refunds {
		found[refunds[i].Key] = refunds[i]
	}
	return found, nil
}

// Order returns an order and its refunds, the earliest first. If there is no such order it returns order.ErrUnknown.
func (s *Store) Order(ctx context.Context, key order.Key) (o order.Order, refunds []order.Refund, err error) {
	orders, err := s.ordersByKey(ctx, []order.Key{key})
	if err != nil {
		return order.Order{}, nil, postgres.Classify(err)
	}
	o, ok := orders[key]
	if !ok {
		return order.Order{}, nil, order.ErrUnknown
	}
	const query = `WITH r AS (SELECT * FROM ingest.refunds WHERE project = $1 AND order_id = $2)` + selectRefunds
	rows, _ := s.pool.Query(ctx, query, key.Project, key.ID) // CollectRows returns its error
	refunds, err = pgx.CollectRows(rows, scanRefund)
	if err != nil {
		return order.Order{}, nil, postgres.Classify(fmt.Errorf("read the refunds of order %s: %w", key.ID, err))
	}
	return o, refunds, nil
}

func scanRefund(row pgx.CollectableRow) (order.Refund, error) {
	var r order.Refund
	var hash []byte
	var numbers []int16
	var products, units []int32
	var ids []uuid.UUID
	var skus []string
	var amounts []int64
	err := row.Scan(&r.Project, &r.ID, &r.Number, &r.Order, &r.OrderNumber, &r.TS, &r.Reason, &r.Currency, &r.User, &hash, &r.Batch, &r.ReceivedAt,
		&numbers, &products, &ids, &skus, &units, &amounts)
	if err != nil {
		return order.Refund{}, err
	}
	r.TS, r.ReceivedAt = r.TS.UTC(), r.ReceivedAt.UTC()
	copy(r.ContentHash[:], hash)
	r.Lines = make([]order.RefundLine, len(numbers))
	for i := range r.Lines {
		r.Lines[i] = order.RefundLine{
			Line: numbers[i], Product: products[i], ProductID: ids[i], SKU: skus[i], Units: int64(units[i]), AmountMinor: amounts[i],
		}
	}
	return r, nil
}
