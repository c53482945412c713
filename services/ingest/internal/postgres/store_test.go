package postgres

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }

// newStore returns a store that acts as the service does.
func newStore(t *testing.T) (*Store, *dbtest.Database) {
	t.Helper()
	database := dbtest.New(t)
	addProducts(t, database)
	return New(database.Pool("hp_ingest"), prometheus.NewRegistry()), database
}

// someProducts are those of the events and purchases of the tests.
var someProducts = func() (ids [100]uuid.UUID) {
	for i := range ids {
		ids[i] = uuid.New()
	}
	return ids
}()

// addProducts adds someProducts to the catalog, with the SKUs P-0, P-1 and so on, at 2.50 EUR.
func addProducts(tb testing.TB, database *dbtest.Database) {
	tb.Helper()
	_, err := database.Pool("").Exec(tb.Context(), `
		INSERT INTO catalog.products (id, sku, name, price_minor, currency)
		SELECT id, 'P-' || n - 1, 'Product', 250, 'EUR' FROM unnest($1::uuid[]) WITH ORDINALITY AS given (id, n)`, someProducts[:])
	if err != nil {
		tb.Fatal(err)
	}
}

// someEvents returns n events in an order that is not that of their keys.
func someEvents(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{
			Fact: event.Fact{
				ID: uuid.New(), TS: time.Now().UTC().Truncate(time.Microsecond).Add(-time.Duration(i*7%5) * time.Hour),
				ProductID: someProducts[i%len(someProducts)], UserID: fmt.Sprintf("user %d", i),
			},
			Type: fmt.Sprintf("type%d", i),
		}
		if i%2 == 0 {
			events[i].Properties = fmt.Appendf(nil, `{"i": %d}`, i)
		}
	}
	return events
}

// sizes are of a single event, a small flush and the largest one.
var sizes = []int{1, 9, 250, 4 * event.MaxBatch}

func TestEventsAreStoredAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, n := range sizes {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			store, database := newStore(t)
			events, batch := someEvents(n), event.NewID()
			stored, err := store.StoreEvents(t.Context(), batch, events)
			if err != nil || slices.Contains(stored, false) || len(stored) != n {
				t.Fatalf("got %v, %v; want all new", stored, err)
			}
			compareStored(t, database, events)
			var rows, inBatch int
			var first, last time.Time
			err = database.Pool("").QueryRow(t.Context(), `SELECT rows, min_ts, max_ts,
				(SELECT count(*) FROM ingest.events e WHERE e.batch_id = b.id AND e.received_at <= b.received_at)
				FROM ingest.batches b WHERE id = $1`, batch).Scan(&rows, &first, &last, &inBatch)
			ordered := inKeyOrder(events)
			if err != nil || rows != n || inBatch != n || !first.Equal(ordered[0].TS) || !last.Equal(ordered[n-1].TS) {
				t.Errorf("the receipt: %d rows, %d in the batch, %s to %s, %v", rows, inBatch, first, last, err)
			}
		})
	}
}

// compareStored compares what is stored with what was sent.
func compareStored(t *testing.T, database *dbtest.Database, events []event.Event) {
	t.Helper()
	rows, err := database.Pool("").Query(t.Context(),
		`SELECT id, ts, product_id, user_id, type, properties FROM ingest.events ORDER BY ts`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	byID := map[uuid.UUID]event.Event{}
	for rows.Next() {
		var e event.Event
		if err := rows.Scan(&e.ID, &e.TS, &e.ProductID, &e.UserID, &e.Type, &e.Properties); err != nil {
			t.Fatal(err)
		}
		e.TS = e.TS.UTC()
		byID[e.ID] = e
	}
	if len(byID) != len(events) {
		t.Errorf("%d rows, want %d", len(byID), len(events))
	}
	for _, want := range events {
		if diff := cmp.Diff(want, byID[want.ID]); diff != "" {
			t.Fatalf("event (-sent +stored):\n%s", diff)
		}
	}
}

// TestOneTakenKeyCostsNothingElse stores a batch of which one event exists already. The insert without a check leaves
// nothing behind, the one with the check stores the others, and the next flushes are checked as well.
func TestOneTakenKeyCostsNothingElse(t *testing.T) {
	t.Parallel()
	for _, n := range sizes[1:] {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			store, database := newStore(t)
			events := someEvents(n)
			if _, err := store.StoreEvents(t.Context(), event.NewID(), events[3:4]); err != nil {
				t.Fatal(err)
			}
			stored, err := store.StoreEvents(t.Context(), event.NewID(), events)
			if err != nil || len(stored) != n || stored[3] || slices.Contains(slices.Delete(stored, 3, 4), false) {
				t.Fatalf("got %v, %v; want all but the fourth", stored, err)
			}
			compareStored(t, database, events)
			var promised int
			if err := database.Pool("").QueryRow(t.Context(), `SELECT sum(rows) FROM ingest.batches`).Scan(&promised); err != nil || promised != n {
				t.Errorf("the receipts promise %d rows, %v; want %d", promised, err, n)
			}
			for range checkedFlushes {
				if store.events.assumeNew() {
					t.Fatal("not checked right after a conflict")
				}
			}
			if !store.events.assumeNew() {
				t.Error("checked for ever")
			}
		})
	}
}

func TestEachEventIsToldWhetherItIsNew(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	events := someEvents(8)
	old := []event.Event{events[1], events[4], events[7]}
	for _, want := range [][]bool{{true, true, true}, {false, false, false}} {
		if got, err := store.StoreEvents(t.Context(), event.NewID(), old); err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %v, %v; want %v", got, err, want)
		}
	}
	got, err := store.StoreEvents(t.Context(), event.NewID(), events)
	if want := []bool{true, false, true, true, false, true, true, false}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}

	// Requests that share a flush may hold the same event, and the same id at another time is another event.
	twice, moved := someEvents(2)[0], events[1]
	moved.TS = moved.TS.Add(time.Second)
	got, err = store.StoreEvents(t.Context(), event.NewID(), []event.Event{twice, moved, twice, events[1]})
	if want := []bool{true, true, false, false}; err != nil || !slices.Equal(got, want) {
		t.Errorf("shared flush: got %v, %v; want %v", got, err, want)
	}
}

// TestColumnsAreInKeyOrder guards the order that keeps two transactions with the same events from a deadlock.
func TestColumnsAreInKeyOrder(t *testing.T) {
	t.Parallel()
	events := someEvents(9)
	columns := newEventColumns(inKeyOrder(events))
	for i := range events {
		at := slices.IndexFunc(events, func(e event.Event) bool { return e.ID == uuid.UUID(columns.id[i]) })
		e := events[at]
		if columns.ts[i] != e.TS || uuid.UUID(columns.product[i]) != e.ProductID || columns.user[i] != e.UserID ||
			columns.typ[i] != e.Type || string(columns.properties[i]) != string(e.Properties) {
			t.Errorf("row %d mixes events", i)
		}
		if i > 0 && (columns.ts[i-1].After(columns.ts[i]) ||
			columns.ts[i-1].Equal(columns.ts[i]) && slices.Compare(columns.id[i-1][:], columns.id[i][:]) >= 0) {
			t.Errorf("row %d comes before its predecessor", i)
		}
	}
}

func TestProductsByIDAndBySKU(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	shoe, hat := uuid.New(), uuid.New()
	if _, err := database.Pool("").Exec(t.Context(), `INSERT INTO catalog.products (id, sku, name, price_minor, currency, status)
		VALUES ($1, 'SHOE', 'Shoe', 12900, 'EUR', 'active'), ($2, 'HAT', 'Hat', 900, 'USD', 'archived')`, shoe, hat); err != nil {
		t.Fatal(err)
	}
	got, err := store.Products(t.Context(), []event.Ref{{ID: shoe}, {SKU: "SHOE"}, {SKU: "HAT"}, {SKU: "NONE"}, {ID: uuid.New()}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[event.Ref]event.Product{
		{ID: shoe}:    {ID: shoe, PriceMinor: 12900, Currency: "EUR"},
		{SKU: "SHOE"}: {ID: shoe, PriceMinor: 12900, Currency: "EUR"},
		{SKU: "HAT"}:  {ID: hat, PriceMinor: 900, Currency: "USD", Archived: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("products (-want +got):\n%s", diff)
	}
	if none, err := store.Products(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("nothing asked for: got %v, %v", none, err)
	}
}

func TestAnUnknownReceipt(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	if _, err := store.Receipt(t.Context(), uuid.New()); !errs.Is(err, errs.NotFound) {
		t.Errorf("got %v", err)
	}
}
