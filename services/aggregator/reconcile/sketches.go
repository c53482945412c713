package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/postgres"
)

// checkSketches compares the sketches of a day with sketches made from the users in the raw rows.
func (r *run) checkSketches(ctx context.Context, day time.Time) error {
	all := sketches{stored: sketch.New(), recounted: sketch.New()}
	var product uuid.UUID
	one := sketches{} // of product; without sketches before the first one
	compare := func() error {
		if one.stored == nil {
			return nil
		}
		return r.compareSketches("stats.product_daily_users "+day.Format(time.DateOnly)+" "+product.String(), one)
	}
	err := r.snapshot.Users(ctx, day, func(u postgres.UserOrSketch) error {
		if one.stored == nil || u.Product != product {
			if err := compare(); err != nil {
				return err
			}
			product, one = u.Product, sketches{stored: sketch.New(), recounted: sketch.New()}
		}
		if u.Sketch != nil {
			return one.addStored(u.Sketch)
		}
		hash := sketch.Hash(u.User)
		one.recounted.InsertHash(hash)
		all.recounted.InsertHash(hash)
		r.report.Rows += u.Rows
		return nil
	})
	if err != nil {
		return err
	}
	if err := compare(); err != nil {
		return err
	}
	if err := r.snapshot.DaySketches(ctx, day, all.addStored); err != nil {
		return err
	}
	return r.compareSketches("stats.daily_users "+day.Format(time.DateOnly), all)
}

// sketches are the two sides of a comparison.
type sketches struct {
	stored, recounted *sketch.Sketch
	broken            error // why a stored sketch cannot be read
}

// addStored merges the stored sketch of a lane.
func (s *sketches) addStored(data []byte) error {
	lane := sketch.New()
	if err := lane.UnmarshalBinary(data); err != nil {
		s.broken = err
		return nil //nolint:nilerr // an unreadable sketch is a difference, and others may follow
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
