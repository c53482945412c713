package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// selectOrders reads orders with their lines. LIMIT keeps the planner to one look-up by key for each, whatever it believes of
// sizes.
const selectOrders = `
	SELECT o.*, coalesce(buyer.anonymous, false), coalesce(buyer.id, ''), l.*
	FROM unnest($1::smallint[], $2::uuid[]) AS sent (project, id)
	CROSS JOIN LATERAL (
		SELECT project, id, coalesce(number, ''), user_n, ts, currency, properties, content_hash, batch, received_at
		FROM ingest.orders AS o
		WHERE o.project = sent.project AND o.id = sent.id
		LIMIT 1
	) AS o
	LEFT JOIN LATERAL (
		SELECT u.anonymous, u.id FROM ingest.users AS u WHERE u.project = sent.project AND u.n = o.user_n LIMIT 1
	) AS buyer ON true
	CROSS JOIN LATERAL (
		SELECT array_agg(l.product ORDER BY l.line), array_agg(p.id ORDER BY l.line), array_agg(p.sku ORDER BY l.line),
		       array_agg(l.quantity ORDER BY l.line), array_agg(l.amount_minor ORDER BY l.line),
		       array_agg(l.refunded_units ORDER BY l.line), array_agg(l.refunded_minor ORDER BY l.line)
		FROM ingest.order_lines AS l
		CROSS JOIN LATERAL (SELECT p.id, p.sku FROM catalog.products AS p WHERE p.n = l.product LIMIT 1) AS p
		WHERE l.project = sent.project AND l.order_id = sent.id
	) AS l`

// ordersByKey returns those of the orders with some keys that are stored.
func (s *Store) ordersByKey(ctx context.Context, keys []order.Key) (map[order.Key]order.Order, error) {
	found := make(map[order.Key]order.Order, len(keys))
	if len(keys) == 0 {
		return found, nil
	}
	projects, ids := make([]int16, len(keys)), make([][16]byte, len(keys))
	for i, key := range keys {
		projects[i], ids[i] = key.Project, key.ID
	}
	rows, _ := s.pool.Query(ctx, selectOrders, projects, ids) // CollectRows returns its error
	orders, err := pgx.CollectRows(rows, scanOrder)
	if err != nil {
		return nil, fmt.Errorf("look up %d orders: %w", len(keys), err)
	}
	for i := range orders {
		found[orders[i].Key] = orders[i]
	}
	return found, nil
}

func scanOrder(row pgx.CollectableRow) (order.Order, error) {
	var o order.Order
	var hash []byte
	var anonymous bool
	var user string
	var products, quantities, units []int32
	var ids []uuid.UUID
	var skus []string
	var amounts, refunded []int64
	err := row.Scan(&o.Project, &o.ID, &o.Number, &o.User, &o.TS, &o.Currency, &o.Properties, &hash, &o.Batch, &o.ReceivedAt,
		&anonymous, &user, &products, &ids, &skus, &quantities, &amounts, &units, &refunded)
	if err != nil {
		return order.Order{}, err
	}
	o.TS, o.ReceivedAt = o.TS.UTC(), o.ReceivedAt.UTC()
	copy(o.ContentHash[:], hash)
	switch {
	case user == "":
		o.User = 0 // erased, even if the row still has the number
	case anonymous:
		o.AnonymousID = user
	default:
		o.UserID = user
	}
	o.Lines = make([]order.Line, len(products))
	for i := range o.Lines {
		o.Lines[i] = order.Line{
			Product: products[i], ProductID: ids[i], SKU: skus[i], Quantity: int64(quantities[i]), AmountMinor: amounts[i],
			RefundedUnits: int64(units[i]), RefundedMinor: refunded[i],
		}
	}
	return o, nil
}
