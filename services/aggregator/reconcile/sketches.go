package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
)

// checkSketches compares the sketches of a day with sketches made anew from the users in the raw rows. Users and stored
// sketches come product by product, so that only one product's are in memory, however many there are.
func (r *run) checkSketches(ctx context.Context, d time.Time) error {
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
	rows, err := r.tx.Query(ctx, query, d)
	if err != nil {
		return fmt.Errorf("recount users: %w", err)
	}
	all := sketch.New()
	one := sketches{stored: sketch.New(), recounted: sketch.New()}
	var product, current uuid.UUID
	var user string
	var data []byte
	var n int64
	started := false
	_, err = pgx.ForEachRow(rows, []any{&product, &user, &data, &n}, func() error {
		if started && product != current {
			if err := r.compareSketches(productDay(d, current), one); err != nil {
				return err
			}
			one = sketches{stored: sketch.New(), recounted: sketch.New()}
		}
		started, current = true, product
		if data != nil {
			return one.addStored(data)
		}
		hash := sketch.Hash(user)
		one.recounted.InsertHash(hash)
		all.InsertHash(hash)
		r.report.Rows += n
		return nil
	})
	if err != nil {
		return fmt.Errorf("recount users: %w", err)
	}
	if started {
		if err := r.compareSketches(productDay(d, current), one); err != nil {
			return err
		}
	}
	return r.checkDaySketch(ctx, d, all)
}

// checkDaySketch compares the sketch of all users of a day.
func (r *run) checkDaySketch(ctx context.Context, d time.Time, recounted *sketch.Sketch) error {
	rows, err := r.tx.Query(ctx, `SELECT sketch FROM stats.daily_users WHERE day = $1`, d)
	if err != nil {
		return fmt.Errorf("read the day's sketches: %w", err)
	}
	all := sketches{stored: sketch.New(), recounted: recounted}
	var data []byte
	if _, err := pgx.ForEachRow(rows, []any{&data}, func() error { return all.addStored(data) }); err != nil {
		return fmt.Errorf("read the day's sketches: %w", err)
	}
	return r.compareSketches("stats.daily_users "+d.Format(time.DateOnly), all)
}

func productDay(d time.Time, product uuid.UUID) string {
	return "stats.product_daily_users " + d.Format(time.DateOnly) + " " + product.String()
}

// sketches are the two sides of a comparison.
type sketches struct {
	stored, recounted *sketch.Sketch
	broken            error // why a stored one cannot be read
}

// addStored merges a lane.
func (s *sketches) addStored(data []byte) error {
	lane := sketch.New()
	if err := lane.UnmarshalBinary(data); err != nil {
		s.broken = err
		return nil //nolint:nilerr // it is a difference, and others may follow
	}
	return s.stored.Merge(lane)
}

func (r *run) compareSketches(what string, s sketches) error {
	r.report.Compared++
	if s.broken != nil {
		return r.differ("%s: unique users cannot be read: %v", what, s.broken)
	}
	equal, err := sketch.Equal(s.stored, s.recounted)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if equal {
		return nil
	}
	return r.differ("%s: unique users are about %d, recounted about %d", what, s.stored.Estimate(), s.recounted.Estimate())
}
