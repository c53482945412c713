package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// order returns a new purchase, under a key unless that is "".
func order(key string) event.Order {
	o := event.Order{Purchase: event.Purchase{
		Fact:     event.Fact{ID: uuid.New(), TS: time.Now().UTC().Truncate(time.Microsecond), ProductID: uuid.New(), UserID: "u"},
		Quantity: 2, AmountMinor: 500, Currency: "EUR",
	}}
	if key != "" {
		o.Key = &event.IdempotencyKey{Principal: "key:1", Key: key, BodyHash: [32]byte{1}}
	}
	return o
}

func TestOnlyNewPurchasesAreStoredTogether(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	first, keyless := order("known"), order("")
	if stored, _, err := store.StorePurchases(t.Context(), event.NewID(), []event.Order{first, keyless}); err != nil || !slices.Equal(stored, []bool{true, true}) {
		t.Fatalf("stored %v, %v", stored, err)
	}

	// Somebody else works on a key.
	holder, err := database.Pool("hp_ingest").Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Rollback(context.WithoutCancel(t.Context()))
	if err := lockKey(t.Context(), holder, *order("locked").Key); err != nil {
		t.Fatal(err)
	}

	anew, sameIDInFlush := order("new"), order("other")
	sameIDInFlush.Fact = anew.Fact
	orders := []event.Order{order("known"), order("locked"), keyless, anew, sameIDInFlush, order("")}
	batch := event.NewID()
	stored, receivedAt, err := store.StorePurchases(t.Context(), batch, orders)
	if want := []bool{false, false, false, true, false, true}; err != nil || !slices.Equal(stored, want) {
		t.Fatalf("stored %v, %v; want %v", stored, err, want)
	}
	receipt, err := store.Receipt(t.Context(), batch)
	if err != nil || receipt.Rows != 2 || !receipt.ReceivedAt.Equal(receivedAt) {
		t.Errorf("receipt %+v, %v; want 2 rows at %s", receipt, err, receivedAt)
	}
	p, found, err := store.Replay(t.Context(), *anew.Key)
	if err != nil || !found || p.ID != anew.ID || p.BatchID != batch || !p.ReceivedAt.Equal(receivedAt) || p.AmountMinor != 500 {
		t.Errorf("the key of a new one replays %+v, %t, %v", p, found, err)
	}
	if _, found, err := store.Replay(t.Context(), *sameIDInFlush.Key); found || err != nil {
		t.Errorf("the key of one that was not stored replays: %t, %v", found, err)
	}
}

// TestPurchasesWithoutKeys takes the way of those that are new, and what it does with one that is not.
func TestPurchasesWithoutKeys(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	orders := []event.Order{order(""), order(""), order("")}
	batch := event.NewID()
	stored, receivedAt, err := store.StorePurchases(t.Context(), batch, orders)
	if err != nil || !slices.Equal(stored, []bool{true, true, true}) {
		t.Fatalf("stored %v, %v", stored, err)
	}
	if r, err := store.Receipt(t.Context(), batch); err != nil || r.Rows != 3 || !r.ReceivedAt.Equal(receivedAt) {
		t.Errorf("receipt %+v, %v; want 3 rows at %s", r, err, receivedAt)
	}
	for _, o := range orders {
		o.BatchID = event.NewID()
		got, replayed, err := store.StorePurchase(t.Context(), o)
		if err != nil || !replayed || got.BatchID != batch || got.AmountMinor != o.AmountMinor || !got.ReceivedAt.Equal(receivedAt) {
			t.Errorf("stored as %+v, %t, %v", got, replayed, err)
		}
	}
	again := []event.Order{order(""), orders[1], order("")}
	if stored, _, err := store.StorePurchases(t.Context(), event.NewID(), again); err != nil || !slices.Equal(stored, []bool{true, false, true}) {
		t.Errorf("with a repeated one: stored %v, %v", stored, err)
	}
	if store.newPurchases.hopeful() {
		t.Error("hopeful right after a disappointment")
	}
}

// TestAPurchaseAloneHasItsReceiptsTime stores one that comes by itself, as one whose key was locked does.
func TestAPurchaseAloneHasItsReceiptsTime(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	o := order("alone")
	o.BatchID = event.NewID()
	stored, _, err := store.StorePurchase(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := store.Receipt(t.Context(), o.BatchID); err != nil || !r.ReceivedAt.Equal(stored.ReceivedAt) {
		t.Errorf("receipt %+v, %v; the purchase was received at %s", r, err, stored.ReceivedAt)
	}
}

func TestNoNewPurchaseNoReceipt(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	known := order("known")
	for _, want := range []bool{true, false} {
		if stored, _, err := store.StorePurchases(t.Context(), event.NewID(), []event.Order{known}); err != nil || stored[0] != want {
			t.Fatalf("stored %v, %v", stored, err)
		}
	}
	var receipts int
	if err := database.Pool("").QueryRow(t.Context(), `SELECT count(*) FROM ingest.batches`).Scan(&receipts); err != nil || receipts != 1 {
		t.Errorf("%d receipts, %v; want 1", receipts, err)
	}
}

// TestKeysAcrossProcesses lets several stores work on the same keys at once, together and one by one, as replicas do
// when their clients retry elsewhere: each key is worth one purchase.
func TestKeysAcrossProcesses(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	var wg sync.WaitGroup
	for replica := range 4 {
		wg.Go(func() {
			for round := range 20 {
				var orders []event.Order
				for i := range 8 {
					orders = append(orders, order(fmt.Sprintf("round-%d-%d", round, (i+replica)%8)))
				}
				stored, _, err := store.StorePurchases(t.Context(), event.NewID(), orders)
				for i := range orders {
					if err == nil && stored[i] {
						continue
					}
					orders[i].BatchID = event.NewID()
					_, _, _ = store.StorePurchase(t.Context(), orders[i]) // may be in flight elsewhere
				}
			}
		})
	}
	wg.Wait()
	var purchases, keys, rows int
	const query = `
		SELECT (SELECT count(*) FROM ingest.purchases), (SELECT count(*) FROM ingest.idempotency_keys),
		       (SELECT sum(rows) FROM ingest.batches)`
	if err := database.Pool("").QueryRow(t.Context(), query).Scan(&purchases, &keys, &rows); err != nil {
		t.Fatal(err)
	}
	if purchases != 160 || keys != 160 || rows != 160 {
		t.Errorf("%d purchases, %d keys, %d rows in receipts; want 160 of each", purchases, keys, rows)
	}
}
