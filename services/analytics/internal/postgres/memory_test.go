package postgres

import (
	"runtime"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/stats/segment/segmenttest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// TestMemoryOfRankings asks about a catalog whose products have numbers far apart. A ranking takes memory for the products that it
// compares, and none for each product and column of its totals.
func TestMemoryOfRankings(t *testing.T) { // not parallel: it measures what the process allocates
	const products = 4000
	database := dbtest.New(t)
	c := &bigCatalog{db: database.Pool(""), project: authn.Project{ID: 1, Zone: time.UTC, Currency: "EUR"}, products: products, apart: 1000, last: today, days: 8}
	c.fill(t)
	segmenttest.Merge(t, c.db, 1, today.AddDate(0, 0, 1-c.days), today.AddDate(0, 0, 1))
	store := New(database.Pool("hp_analytics"))
	for _, q := range questions(report.Range{From: today.AddDate(0, 0, 1-c.days), To: today}) {
		ask := func() {
			if _, err := store.Top(t.Context(), c.project, q.ask); err != nil {
				t.Fatal(err)
			}
		}
		ask() // it prepares the statements
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		ask()
		runtime.ReadMemStats(&after)
		bytes := (after.TotalAlloc - before.TotalAlloc) / products
		t.Logf("%s: %d bytes a product", q.name, bytes)
		if bytes > 400 {
			t.Errorf("%s: %d bytes a product, want at most 400", q.name, bytes)
		}
	}
}
