package postgres

import "context"

// WrongOrders calls fn for each order and refund of a project that contradicts its lines, and for each line that contradicts
// its order or its refunds.
func (s Snapshot) WrongOrders(ctx context.Context, p Project, fn func(Fault)) error {
	const check = `
		SELECT $1::smallint, 'ingest.orders', (o.ts AT TIME ZONE 'UTC')::date, o.id::text,
			'it says ' || o.lines || ' lines, there are ' || coalesce(l.n, 0)
		FROM ingest.orders AS o
		LEFT JOIN (SELECT order_id, count(*) AS n FROM ingest.order_lines WHERE project = $1 GROUP BY order_id) AS l ON l.order_id = o.id
		WHERE o.project = $1 AND o.lines <> coalesce(l.n, 0)
		UNION ALL
		SELECT $1, 'ingest.order_lines', (l.ts AT TIME ZONE 'UTC')::date, l.order_id || ' ' || l.line, CASE
			WHEN o.id IS NULL THEN 'there is no such order'
			WHEN o.ts <> l.ts THEN 'its time is ' || l.ts || ', that of the order is ' || o.ts
			WHEN l.refunded_minor > l.amount_minor OR l.refunded_units > l.quantity THEN 'more was refunded than bought'
			ELSE 'it says that ' || l.refunded_minor || ' and ' || l.refunded_units || ' units were refunded, its refunds are of '
				|| coalesce(r.amount, 0) || ' and ' || coalesce(r.units, 0)
		END
		FROM ingest.order_lines AS l
		LEFT JOIN ingest.orders AS o ON o.project = l.project AND o.id = l.order_id
		LEFT JOIN (
			SELECT r.order_id, l.line, sum(l.amount_minor) AS amount, sum(l.units) AS units
			FROM ingest.refunds AS r JOIN ingest.refund_lines AS l ON l.project = r.project AND l.refund_id = r.id
			WHERE r.project = $1
			GROUP BY r.order_id, l.line
		) AS r ON r.order_id = l.order_id AND r.line = l.line
		WHERE l.project = $1 AND (o.id IS NULL OR o.ts <> l.ts OR l.refunded_minor > l.amount_minor OR l.refunded_units > l.quantity
			OR l.refunded_minor <> coalesce(r.amount, 0) OR l.refunded_units <> coalesce(r.units, 0))
		UNION ALL
		SELECT $1, 'ingest.refunds', (r.ts AT TIME ZONE 'UTC')::date, r.id::text, CASE
			WHEN o.id IS NULL AND r.order_id IS NOT NULL THEN 'there is no such order: ' || r.order_id
			WHEN o.user_n <> r.user_n OR o.currency <> r.currency THEN 'its user or currency is not that of the order'
			ELSE 'it says ' || r.lines || ' lines, there are ' || coalesce(l.n, 0)
		END
		FROM ingest.refunds AS r
		LEFT JOIN ingest.orders AS o ON o.project = r.project AND o.id = r.order_id
		LEFT JOIN (SELECT refund_id, count(*) AS n FROM ingest.refund_lines WHERE project = $1 GROUP BY refund_id) AS l ON l.refund_id = r.id
		WHERE r.project = $1 AND (o.id IS NULL AND r.order_id IS NOT NULL OR o.user_n <> r.user_n OR o.currency <> r.currency OR r.lines <> coalesce(l.n, 0))
		UNION ALL
		SELECT $1, 'ingest.refund_lines', NULL, f.refund_id || ' ' || f.line, CASE
			WHEN r.id IS NULL THEN 'there is no such refund'
			ELSE 'the order has no such line of this product'
		END
		FROM ingest.refund_lines AS f
		LEFT JOIN ingest.refunds AS r ON r.project = f.project AND r.id = f.refund_id
		LEFT JOIN ingest.order_lines AS l ON l.project = f.project AND l.order_id = r.order_id AND l.line = f.line AND l.product = f.product
		WHERE f.project = $1 AND l.line IS NULL AND (r.id IS NULL OR r.order_id IS NOT NULL)`
	return s.faults(ctx, "orders", check, []any{p.ID}, fn)
}
