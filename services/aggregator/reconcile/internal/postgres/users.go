package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// UserOrSketch is either a user of a product's raw rows or a stored sketch of the product.
type UserOrSketch struct {
	Product uuid.UUID
	Sketch  []byte // nil for a user
	User    string
	Rows    int64 // of the user
}

// Users calls fn for every user of every product in the raw rows of a day and for every stored sketch of a product. They
// come product by product, so a caller needs the sketches of only one product in memory. Sketch is valid until fn returns.
func (s Snapshot) Users(ctx context.Context, day time.Time, fn func(UserOrSketch) error) error {
	const query = `
		SELECT product_id, user_id, NULL::bytea, sum(n)::bigint
		FROM (
			SELECT product_id, user_id, count(*) AS n FROM ingest.events raw WHERE ` + folded + ` GROUP BY product_id, user_id
			UNION ALL
			SELECT product_id, user_id, count(*) FROM ingest.purchases raw WHERE ` + folded + ` GROUP BY product_id, user_id
		) AS users
		GROUP BY product_id, user_id
		UNION ALL
		SELECT product_id, '', sketch, 0 FROM stats.product_daily_users WHERE day = $1::date
		ORDER BY 1`
	rows, err := s.tx.Query(ctx, query, day)
	if err != nil {
		return fmt.Errorf("recount users: %w", err)
	}
	var u UserOrSketch
	_, err = pgx.ForEachRow(rows, []any{&u.Product, &u.User, &u.Sketch, &u.Rows}, func() error { return fn(u) })
	if err != nil {
		return fmt.Errorf("recount users: %w", err)
	}
	return nil
}

// DaySketches calls fn for the stored sketches of all users of a day, one for each lane.
func (s Snapshot) DaySketches(ctx context.Context, day time.Time, fn func(sketch []byte) error) error {
	rows, err := s.tx.Query(ctx, `SELECT sketch FROM stats.daily_users WHERE day = $1`, day)
	if err != nil {
		return fmt.Errorf("read the day's sketches: %w", err)
	}
	var data []byte
	if _, err := pgx.ForEachRow(rows, []any{&data}, func() error { return fn(data) }); err != nil {
		return fmt.Errorf("read the day's sketches: %w", err)
	}
	return nil
}
