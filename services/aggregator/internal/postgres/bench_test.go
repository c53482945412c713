package postgres_test

import (
	"fmt"
	"testing"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// BenchmarkFold folds batches of 1,000 rows of few products and users, by the number that one fold may take.
func BenchmarkFold(b *testing.B) {
	for _, batches := range []int{1, 10, 50} {
		b.Run(fmt.Sprintf("%d000 rows", batches), func(b *testing.B) {
			database := dbtest.New(b)
			w := batchtest.New(b, database, 9)
			store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 4, Rows: batches * 1000}
			rows := 0
			for b.Loop() {
				b.StopTimer()
				for range batches {
					w.Batch(1000)
				}
				b.StartTimer()
				folded, err := store.Fold(b.Context())
				if err != nil || folded.Batches != batches {
					b.Fatalf("folded %d of %d batches: %v", folded.Batches, batches, err)
				}
				rows += folded.Rows
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
		})
	}
}
