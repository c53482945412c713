package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/postgres"
)

// checkSketches compares the sketches of a span with sketches made from the users in the raw rows.
func (r *run) checkSketches(ctx context.Context, span postgres.Span) error {
	days := map[time.Time]*sketches{} // of all products
	for day := span.From; day.Before(span.To); day = day.AddDate(0, 0, 1) {
		days[day] = newSketches()
	}
	var current postgres.UserOrSketch // the product that one is about
	var one *sketches                 // nil before the first product
	compare := func() error {
		if one == nil {
			return nil
		}
		return r.compareSketches("stats.product_daily_users", current.Day, current.Product.String(), one)
	}
	err := r.snapshot.Users(ctx, span, func(u postgres.UserOrSketch) error {
		if one == nil || u.Product != current.Product || !u.Day.Equal(current.Day) {
			if err := compare(); err != nil {
				return err
			}
			current, one = u, newSketches()
		}
		if u.Sketch != nil {
			return one.addStored(u.Sketch)
		}
		hash := sketch.Hash(u.User)
		one.recounted.InsertHash(hash)
		days[u.Day].recounted.InsertHash(hash)
		r.report.Rows += u.Rows
		return nil
	})
	if err != nil {
		return err
	}
	if err := compare(); err != nil {
		return err
	}
	err = r.snapshot.DaySketches(ctx, span, func(day time.Time, data []byte) error { return days[day].addStored(data) })
	if err != nil {
		return err
	}
	for _, day := range slices.SortedFunc(maps.Keys(days), time.Time.Compare) {
		if err := r.compareSketches("stats.daily_users", day, "", days[day]); err != nil {
			return err
		}
	}
	return nil
}

// sketches are the two sides of a comparison.
type sketches struct {
	stored, recounted *sketch.Sketch
	broken            error // why a stored sketch cannot be read
}

func newSketches() *sketches { return &sketches{stored: sketch.New(), recounted: sketch.New()} }

// addStored merges the stored sketch of a lane.
func (s *sketches) addStored(data []byte) error {
	lane := sketch.New()
	if err := lane.UnmarshalBinary(data); err != nil {
		s.broken = err
		return nil //nolint:nilerr // an unreadable sketch is a difference, and others may follow
	}
	return s.stored.Merge(lane)
}

func (r *run) compareSketches(table string, day time.Time, key string, s *sketches) error {
	r.report.Compared++
	if s.broken != nil {
		return r.differ(table, day, key, "unique users cannot be read: %v", s.broken)
	}
	equal, err := sketch.Equal(s.stored, s.recounted)
	if err != nil {
		return fmt.Errorf("%s %s %s: %w", table, day.Format(time.DateOnly), key, err)
	}
	if equal {
		return nil
	}
	return r.differ(table, day, key, "unique users are about %d, recounted about %d", s.stored.Estimate(), s.recounted.Estimate())
}
