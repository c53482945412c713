package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// UserOrSketch is either a user of a product's raw rows of a day or a stored sketch of the product and day.
type UserOrSketch struct {
	Day     time.Time
	Product uuid.UUID
	Sketch  []byte // nil for a user
	User    string
	Rows    int64 // of the user
}

// Users calls fn for every user of every product in the raw rows of each day of a span, and for every stored sketch of a
// product. They come day by day and product by product, so a caller needs the sketches of only one product in memory. Sketch
// is valid until fn returns.
func (s Snapshot) Users(ctx context.Context, span Span, fn func(UserOrSketch) error) error {
	const query = `
		SELECT day, product_id, user_id, NULL::bytea, sum(n)::bigint
		FROM (
			SELECT ` + dayOfRow + ` AS day, product_id, user_id, count(*) AS n FROM ingest.events raw WHERE ` + folded + ` GROUP BY 1, 2, 3
			UNION ALL
			SELECT ` + dayOfRow + `, product_id, user_id, count(*) FROM ingest.purchases raw WHERE ` + folded + ` GROUP BY 1, 2, 3
		) AS users
		GROUP BY day, product_id, user_id
		UNION ALL
		SELECT day, product_id, '', sketch, 0 FROM stats.product_daily_users WHERE ` + storedOfSpan + `
		ORDER BY 1, 2`
	rows, err := s.tx.Query(ctx, query, span.From, span.To)
	if err != nil {
		return fmt.Errorf("recount users: %w", err)
	}
	var u UserOrSketch
	_, err = pgx.ForEachRow(rows, []any{&u.Day, &u.Product, &u.User, &u.Sketch, &u.Rows}, func() error { return fn(u) })
	if err != nil {
		return fmt.Errorf("recount users: %w", err)
	}
	return nil
}

// DaySketches calls fn for the stored sketches of all users of each day of a span, one for each lane.
func (s Snapshot) DaySketches(ctx context.Context, span Span, fn func(day time.Time, sketch []byte) error) error {
	const query = `SELECT day, sketch FROM stats.daily_users WHERE ` + storedOfSpan
	rows, err := s.tx.Query(ctx, query, span.From, span.To)
	if err != nil {
		return fmt.Errorf("read the days' sketches: %w", err)
	}
	var day time.Time
	var data []byte
	if _, err := pgx.ForEachRow(rows, []any{&day, &data}, func() error { return fn(day, data) }); err != nil {
		return fmt.Errorf("read the days' sketches: %w", err)
	}
	return nil
}
