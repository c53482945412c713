package postgres

import (
	"strconv"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// BenchmarkStoreEvents compares the ways to store a batch, for the choice of copyFrom.
func BenchmarkStoreEvents(b *testing.B) {
	ways := []struct {
		name string
		run  func(s *Store, b *testing.B, events []event.Event) error
	}{
		{"insert", func(s *Store, b *testing.B, events []event.Event) error {
			return s.insertNewEvents(b.Context(), event.NewID(), inKeyOrder(events))
		}},
		{"copy", func(s *Store, b *testing.B, events []event.Event) error {
			return s.copyNewEvents(b.Context(), event.NewID(), inKeyOrder(events))
		}},
		{"careful", func(s *Store, b *testing.B, events []event.Event) error {
			_, err := s.storeEventsWithCare(b.Context(), event.NewID(), events, inKeyOrder(events))
			return err
		}},
	}
	for _, n := range []int{1, 32, 100, 250, 500, 1000, 4000} {
		for _, way := range ways {
			b.Run(strconv.Itoa(n)+"/"+way.name, func(b *testing.B) {
				database := dbtest.New(b)
				if _, err := database.Pool("").Exec(b.Context(), `SELECT ingest.ensure_partitions(current_date - 1, current_date)`); err != nil {
					b.Fatal(err)
				}
				store := New(database.Pool("hp_ingest"), prometheus.NewRegistry())
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					events := someEvents(n)
					b.StartTimer()
					if err := way.run(store, b, events); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/row")
			})
		}
	}
}
