package postgres

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// changes are those of a product after which an event that was examined before, by its SKU, must not be stored.
var changes = map[string]string{
	"its SKU changed":     `UPDATE catalog.products SET sku = 'RENAMED' WHERE id = $1`,
	"removed by a person": `DELETE FROM catalog.products WHERE id = $1`,
}

func execute(t *testing.T, database *dbtest.Database, sql string, args ...any) {
	t.Helper()
	if _, err := database.Pool("").Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// TestEventsOfAFormerProductAreNotStored changes a product after its events were examined, for each way to store events.
func TestEventsOfAFormerProductAreNotStored(t *testing.T) {
	t.Parallel()
	for what, change := range changes {
		for way, n := range map[string]int{"single": 1, "few": 9, "many": 250, "checked": 10} {
			t.Run(what+"/"+way, func(t *testing.T) {
				t.Parallel()
				s, database := newStore(t)
				events := someEvents(n)
				want := slices.Compact([]int{0, n / 2})
				for i := range events {
					events[i].Product, events[i].SKU = 2, "P-1"
					if slices.Contains(want, i) {
						events[i].Product, events[i].SKU = 1, "P-0"
					}
				}
				execute(t, database, change, someProducts[0])
				if way == "checked" {
					s.events.conflicted()
				}
				_, err := s.StoreEvents(t.Context(), events)
				obstacles, _ := errors.AsType[event.BlockedError](err)
				if got := slices.Sorted(maps.Keys(obstacles)); !slices.Equal(got, want) {
					t.Errorf("%v; obstacles are %v, want %v", err, got, want)
				}
				for i, obstacle := range obstacles {
					if !errors.Is(obstacle, event.ErrProductChanged) {
						t.Errorf("event %d: %v", i, obstacle)
					}
				}
				left := count(t, database, `SELECT (SELECT count(*) FROM ingest.events) + (SELECT count(*) FROM ingest.batches)
					+ (SELECT count(*) FROM ingest.users WHERE first_seen IS NOT NULL)`)
				if left != 0 {
					t.Errorf("%d rows are left of the flush", left)
				}
			})
		}
	}
}

// TestFactsAboutOtherChangesAreStored names a product by its id, which its SKU has nothing to do with, and an archived one.
func TestFactsAboutOtherChangesAreStored(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	execute(t, database, changes["its SKU changed"], someProducts[0])
	execute(t, database, `UPDATE catalog.products SET status = 'archived' WHERE id = $1`, someProducts[1])
	events := someEvents(2)
	events[0].Product = 1
	events[1].Product, events[1].SKU = 2, "P-1"
	store(t, s, events)
}
