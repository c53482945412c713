package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Kind says what users were counted of.
type Kind int

// The kinds of users, in the order in which Users returns those of a day.
const (
	OfProduct Kind = iota + 1
	OfName
	OfDay // those of orders only; those of events are OfName, too
)

// Users are users in the raw rows of a product, a name or a whole day, or a stored sketch or set of them.
type Users struct {
	Day    time.Time
	Kind   Kind
	Number int64 // of the product or name; 0 for a day
	Folded bool  // the rows must be in the rollups
	Events bool  // the rows are events
	Users  []int64
	Sketch []byte // nil for raw rows
	Set    []byte // nil for raw rows
	Chunk  int32  // of the set
}

// Users calls fn for the users in the raw rows of each day of a span, and for all that is stored about users. They come day by
// day, kind by kind and number by number, so a caller needs only one sketch and one day in memory. The slices are valid until fn
// returns.
func (s Snapshot) Users(ctx context.Context, span Span, fn func(Users) error) error {
	const query = `
		SELECT day, CASE WHEN GROUPING(product) = 0 THEN 1 ELSE 2 END AS kind, coalesce(product, name)::bigint AS number, folded, true,
			array_agg(user_n), NULL::bytea, NULL::bytea, 0
		FROM (
			SELECT ` + dayOfRow + ` AS day, product, name, user_n, ` + isNotUnfolded + ` AS folded
			FROM ingest.events AS raw WHERE ` + rawOfSpan + `
		) AS event
		GROUP BY GROUPING SETS ((day, product, folded), (day, name, folded))
		HAVING count(*) > 0 AND NOT (GROUPING(product) = 0 AND product IS NULL)
		UNION ALL
		SELECT day, CASE WHEN GROUPING(product) = 0 THEN 1 ELSE 3 END, coalesce(product, 0), folded, false, array_agg(user_n), NULL, NULL, 0
		FROM (
			SELECT ` + dayOfRow + ` AS day, product, user_n, ` + isNotUnfolded + ` AS folded
			FROM ingest.orders AS raw JOIN ingest.order_lines AS line ON line.project = raw.project AND line.order_id = raw.id
			WHERE ` + rawOfSpan + `
		) AS line
		GROUP BY GROUPING SETS ((day, product, folded), (day, folded))
		HAVING count(*) > 0
		UNION ALL
		SELECT day, 1, product, true, false, NULL, sketch, NULL, 0 FROM stats.product_daily_users WHERE ` + dailyOfSpan + `
		UNION ALL
		SELECT day, 2, name, true, false, NULL, sketch, NULL, 0 FROM stats.name_daily_users WHERE ` + dailyOfSpan + `
		UNION ALL
		SELECT day, 3, 0, true, false, NULL, sketch, NULL, 0 FROM stats.daily_users WHERE ` + dailyOfSpan + `
		UNION ALL
		SELECT day, 3, 0, true, false, NULL, NULL, users, chunk FROM stats.daily_user_sets WHERE ` + dailyOfSpan + `
		ORDER BY 1, 2, 3`
	rows, err := s.tx.Query(ctx, query, span.arguments()...)
	if err != nil {
		return fmt.Errorf("recount users: %w", err)
	}
	var u Users
	fields := []any{&u.Day, &u.Kind, &u.Number, &u.Folded, &u.Events, &u.Users, &u.Sketch, &u.Set, &u.Chunk}
	if _, err := pgx.ForEachRow(rows, fields, func() error { return fn(u) }); err != nil {
		return fmt.Errorf("recount users: %w", err)
	}
	return nil
}

// RefundLines returns how many folded lines of refunds a span has.
func (s Snapshot) RefundLines(ctx context.Context, span Span) (n int64, err error) {
	const query = `
		SELECT count(*)
		FROM ingest.refunds AS raw JOIN ingest.refund_lines AS line ON line.project = raw.project AND line.refund_id = raw.id
		WHERE ` + rawOfSpan + ` AND ` + isNotUnfolded
	if err := s.tx.QueryRow(ctx, query, span.arguments()[:3]...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count lines of refunds: %w", err)
	}
	return n, nil
}

// Label returns the SKU of a product or the name of an event, or its number if there is none.
func (s Snapshot) Label(ctx context.Context, p Project, kind Kind, number int64) (label string, err error) {
	query := `SELECT coalesce((SELECT sku FROM catalog.products WHERE project = $1 AND n = $2::bigint), $2::bigint::text)`
	switch kind {
	case OfProduct:
	case OfName:
		query = `SELECT coalesce((SELECT name FROM ingest.names WHERE project = $1 AND n = $2::bigint), $2::bigint::text)`
	case OfDay:
		return "", nil
	}
	if err := s.tx.QueryRow(ctx, query, p.ID, number).Scan(&label); err != nil {
		return "", fmt.Errorf("look up a name: %w", err)
	}
	return label, nil
}
