package rebuild_test

import (
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
)

// BenchmarkMoveZone measures what a change of the time zone costs for a million raw rows, and for how much of that time folds wait.
func BenchmarkMoveZone(b *testing.B) {
	database := dbtest.New(b)
	pool := database.Pool("hp_aggregator")
	store := postgres.Store{Pool: pool, Lanes: 4, Rows: 50_000}
	w := batchtest.New(b, database, 17)
	w.First, w.Days = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), 30
	const rows = 100_000
	for range rows / 1000 {
		w.Events(1000)
	}
	for w.Pending() > 0 {
		if _, err := store.Fold(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	now := w.First.AddDate(0, 0, w.Days)
	zones := []string{"America/New_York", "Asia/Tokyo"}
	var took, locked time.Duration
	var moved int64
	b.ResetTimer()
	for n := range b.N {
		if _, err := w.Pool.Exec(b.Context(), `UPDATE auth.projects SET time_zone = $1 WHERE id = 1`, zones[n%2]); err != nil {
			b.Fatal(err)
		}
		for {
			step, err := rebuild.MoveZone(b.Context(), pool, "default", now, nil)
			if err != nil {
				b.Fatal(err)
			}
			took, locked, moved = took+step.Took, locked+step.Locked, moved+step.Rows
			if step.Finished {
				break
			}
		}
	}
	b.ReportMetric(took.Seconds()*1e6/float64(moved), "s/million-rows")
	b.ReportMetric(locked.Seconds()*1e6/float64(moved), "s-folds-wait/million-rows")
}
