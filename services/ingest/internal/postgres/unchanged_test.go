package postgres

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// changes are those of a product after which an event that was examined before must not be stored.
var changes = map[string]string{
	"archived":            `UPDATE catalog.products SET status = 'archived' WHERE id = $1`,
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
		for way, n := range map[string]int{"few": 9, "many": 250, "checked": 10} {
			t.Run(what+"/"+way, func(t *testing.T) {
				t.Parallel()
				store, database := newStore(t)
				events := someEvents(n)
				var want []int
				for i := range events {
					events[i].ProductID = someProducts[1+i%(len(someProducts)-1)]
					if i == 0 || i == n/2 {
						events[i].ProductID, events[i].SKU = someProducts[0], "P-0"
						want = append(want, i)
					}
				}
				execute(t, database, change, someProducts[0])
				if way == "checked" {
					store.events.conflicted()
				}
				stored, err := store.StoreEvents(t.Context(), event.NewID(), events)
				obstacles, _ := errors.AsType[event.BlockedError](err)
				if got := slices.Sorted(maps.Keys(obstacles)); !slices.Equal(got, want) || stored != nil {
					t.Errorf("stored %v, %v; obstacles are %v, want %v", stored, err, got, want)
				}
				for i, obstacle := range obstacles {
					if !errors.Is(obstacle, event.ErrProductChanged) {
						t.Errorf("event %d: %v", i, obstacle)
					}
				}
				var left int
				err = database.Pool("").QueryRow(t.Context(), `SELECT (SELECT count(*) FROM ingest.events) + (SELECT count(*) FROM ingest.batches)`).Scan(&left)
				if err != nil || left != 0 {
					t.Errorf("%d rows are left of the flush, %v", left, err)
				}
			})
		}
	}
}

// TestAnEventByIDStaysWhenTheSKUChanges names the product by its id, which its SKU has nothing to do with.
func TestAnEventByIDStaysWhenTheSKUChanges(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	execute(t, database, changes["its SKU changed"], someProducts[0])
	if stored, err := store.StoreEvents(t.Context(), event.NewID(), someEvents(1)); err != nil || !stored[0] {
		t.Errorf("got %v, %v; want stored", stored, err)
	}
}

// TestPurchasesOfAFormerProductAreNotStored changes products after purchases were examined. Their neighbours are stored.
func TestPurchasesOfAFormerProductAreNotStored(t *testing.T) {
	t.Parallel()
	const repriced = `UPDATE catalog.products SET price_minor = 100 WHERE id = $1`
	list := int64(250)
	cases := map[string]string{"repriced": repriced}
	maps.Copy(cases, changes)
	for what, change := range cases {
		for _, keyed := range []bool{false, true} {
			t.Run(what+"/"+strconv.FormatBool(keyed), func(t *testing.T) {
				t.Parallel()
				store, database := newStore(t)
				var orders []event.Order
				for i := range 4 {
					key := ""
					if keyed {
						key = "key-" + strconv.Itoa(i)
					}
					o := order(key)
					o.ListPrice, o.ProductID, o.SKU = &list, someProducts[i%2], "P-"+strconv.Itoa(i%2)
					orders = append(orders, o)
				}
				known := orders[0] // stored before the change, and sent again after it
				before := storePurchases(t, store, event.NewID(), known)
				free := order("")
				free.ProductID = someProducts[0] // its sender named the amount
				orders = append(orders, free)

				execute(t, database, change, someProducts[0])
				outcomes := storePurchases(t, store, event.NewID(), orders...)
				if got := outcomes[0]; !got.Replayed || got.Purchase.BatchID != before[0].Purchase.BatchID {
					t.Errorf("the order that was stored before: %+v", got)
				}
				for i, want := range map[int]error{1: nil, 2: event.ErrProductChanged, 3: nil} {
					if !errors.Is(outcomes[i].Err, want) {
						t.Errorf("order %d: %v, want %v", i, outcomes[i].Err, want)
					}
				}
				if taken := change == repriced || what == "its SKU changed"; taken != (outcomes[4].Err == nil) {
					t.Errorf("the order by id at an amount of its own: %v", outcomes[4].Err)
				}
			})
		}
	}
}
