package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/migrations/sketch"
)

// checkSketches compares the sketches of a day with sketches made anew from the users in the raw rows. It holds the
// sketches of one day's products in memory, 4 KiB each at most.
func (r *run) checkSketches(ctx context.Context, d time.Time) error {
	recounted, all, err := r.sketchUsers(ctx, d)
	if err != nil {
		return err
	}
	stored, err := r.storedSketches(ctx, `SELECT product_id, sketch FROM stats.product_daily_users WHERE day = $1`, d)
	if err != nil {
		return err
	}
	for product := range stored {
		if _, ok := recounted[product]; !ok {
			recounted[product] = sketch.New()
		}
	}
	for product, want := range recounted {
		if err := r.compareSketches("stats.product_daily_users "+d.Format(time.DateOnly)+" "+product.String(), stored[product], want); err != nil {
			return err
		}
	}
	// The sketch of the whole day has no product; the zero id stands for it.
	days, err := r.storedSketches(ctx, `SELECT '00000000-0000-0000-0000-000000000000'::uuid, sketch FROM stats.daily_users WHERE day = $1`, d)
	if err != nil {
		return err
	}
	return r.compareSketches("stats.daily_users "+d.Format(time.DateOnly), days[uuid.Nil], all)
}

func (r *run) compareSketches(what string, stored, recounted *sketch.Sketch) error {
	if stored == nil {
		stored = sketch.New()
	}
	equal, err := sketch.Equal(stored, recounted)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	r.report.Compared++
	if equal {
		return nil
	}
	return r.differ("%s: unique users are about %d, recounted about %d", what, stored.Estimate(), recounted.Estimate())
}

// sketchUsers makes the sketches of a day from the raw rows: one for each product, and one of all.
func (r *run) sketchUsers(ctx context.Context, d time.Time) (map[uuid.UUID]*sketch.Sketch, *sketch.Sketch, error) {
	const query = `
		SELECT product_id, user_id, count(*)
		FROM (
			SELECT product_id, user_id FROM ingest.events raw WHERE ` + folded + `
			UNION ALL
			SELECT product_id, user_id FROM ingest.purchases raw WHERE ` + folded + `
		) AS rows
		GROUP BY product_id, user_id`
	rows, err := r.tx.Query(ctx, query, d)
	if err != nil {
		return nil, nil, fmt.Errorf("recount users: %w", err)
	}
	products, all := map[uuid.UUID]*sketch.Sketch{}, sketch.New()
	var product uuid.UUID
	var user string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&product, &user, &n}, func() error {
		s, ok := products[product]
		if !ok {
			s = sketch.New()
			products[product] = s
		}
		s.Insert(user)
		all.Insert(user)
		r.report.Rows += n
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("recount users: %w", err)
	}
	return products, all, nil
}

// storedSketches returns the sketches of a day by product, lanes merged.
func (r *run) storedSketches(ctx context.Context, query string, d time.Time) (map[uuid.UUID]*sketch.Sketch, error) {
	rows, err := r.tx.Query(ctx, query, d)
	if err != nil {
		return nil, fmt.Errorf("read sketches: %w", err)
	}
	merged := map[uuid.UUID]*sketch.Sketch{}
	var product uuid.UUID
	var data []byte
	_, err = pgx.ForEachRow(rows, []any{&product, &data}, func() error {
		one := sketch.New()
		if err := one.UnmarshalBinary(data); err != nil {
			return err //nolint:wrapcheck // wrapped below
		}
		if have, ok := merged[product]; ok {
			return have.Merge(one) //nolint:wrapcheck // wrapped below
		}
		merged[product] = one
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read sketches: %w", err)
	}
	return merged, nil
}
