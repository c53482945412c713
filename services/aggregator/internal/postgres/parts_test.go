package postgres_test

import (
	"runtime/metrics"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

// TestALargeFoldIsAddedInParts claims rows of many users and products, one batch of which is damaged. Every other row is
// counted once, whatever the number of parts, and no part takes more than the fold may.
func TestALargeFoldIsAddedInParts(t *testing.T) {
	t.Parallel()
	const budget = 1 << 20
	database := dbtest.New(t)
	w := batchtest.New(t, database, 21)
	events := w.Fill(20_000, 3000, 20_000)
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 1, Rows: 1_000_000, Bytes: budget}
	_, err := w.Pool.Exec(t.Context(), `
		UPDATE ingest.batches SET rows = rows + 1 WHERE id = (SELECT max(id) FROM ingest.batches)`)
	if err != nil {
		t.Fatal(err)
	}
	folded, err := store.Fold(t.Context())
	if err != nil || len(folded.Failed) != 1 || folded.Rows != events-1000 {
		t.Fatalf("folded %d of %d rows, %d batches failed, %v", folded.Rows, events, len(folded.Failed), err)
	}
	if folded.Bytes > budget || folded.Bytes < budget/2 || folded.Parts < 5 {
		t.Errorf("%d parts, the largest of %d bytes; want at most %d", folded.Parts, folded.Bytes, budget)
	}
	report, err := reconcile.Run(t.Context(), store.Pool, reconcile.Options{Details: t.Output()})
	if err != nil || report.Differences != 1 || report.Tables[0].Name != "ingest.batches" {
		t.Errorf("reconcile: %+v, %v; want one difference, the receipt of the damaged batch", report, err)
	}
}

// peakHeap runs work and returns the largest heap that it had.
func peakHeap(work func()) uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	done, peak := make(chan struct{}), make(chan uint64)
	go func() {
		most := uint64(0)
		for ticker := time.NewTicker(2 * time.Millisecond); ; {
			metrics.Read(sample)
			most = max(most, sample[0].Value.Uint64())
			select {
			case <-done:
				ticker.Stop()
				peak <- most
				return
			case <-ticker.C:
			}
		}
	}()
	work()
	close(done)
	return <-peak
}

// foldClaim is a claim for BenchmarkFoldMemory.
type foldClaim struct {
	name                  string
	rows, products, users int
	dense                 bool // stored sketches have their full size
}

// fill writes the claim into a new database and returns a store that folds it, and the number of its rows.
func (c foldClaim) fill(b *testing.B) (store postgres.Store, rows int) {
	b.Helper()
	database := dbtest.New(b)
	w := batchtest.New(b, database, 22)
	w.Days = 1
	if c.dense {
		full := sketch.New()
		for hash := range uint64(100_000) {
			full.InsertHash(hash * 0x9e3779b97f4a7c15)
		}
		data, err := full.MarshalBinary()
		if err != nil {
			b.Fatal(err)
		}
		defer func() {
			_, err = w.Pool.Exec(b.Context(), `
				INSERT INTO stats.product_daily_users (project, day, lane, product, sketch)
				SELECT 1, $1, 0, n, $2 FROM catalog.products`, w.First, data)
			if err != nil {
				b.Fatal(err)
			}
		}()
	}
	rows = w.Fill(c.rows, c.products, c.users)
	return postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 1, Rows: rows, Bytes: 32 << 20}, rows
}

// BenchmarkFoldMemory folds one claim and reports the peak of the heap, garbage included. "dense" meets 50,000 products whose
// stored sketches have their full size; "wide" has a million rows of as many users and 100,000 products.
func BenchmarkFoldMemory(b *testing.B) {
	for _, claim := range []foldClaim{{"dense", 50_000, 50_000, 50_000, true}, {"wide", 1_000_000, 100_000, 1_000_000, false}} {
		b.Run(claim.name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				store, rows := claim.fill(b)
				b.StartTimer()
				peak := peakHeap(func() {
					folded, err := store.Fold(b.Context())
					if err != nil || folded.Rows != rows || folded.Bytes > store.Bytes {
						b.Errorf("folded %d of %d rows in parts of up to %d bytes, of %d: %v", folded.Rows, rows, folded.Bytes, store.Bytes, err)
					}
					b.ReportMetric(float64(folded.Parts), "parts")
				})
				b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
			}
		})
	}
}
