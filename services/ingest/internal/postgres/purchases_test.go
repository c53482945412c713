package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/committer"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// order returns a new purchase, under a key unless that is "".
func order(key string) event.Order {
	o := event.Order{Purchase: event.Purchase{
		Fact:     event.Fact{ID: uuid.New(), TS: time.Now().UTC().Truncate(time.Microsecond), ProductID: someProducts[0], UserID: "u"},
		Quantity: 2, AmountMinor: 500, Currency: "EUR",
	}}
	if key != "" {
		o.Key = &event.IdempotencyKey{Principal: "key:1", Key: key, BodyHash: [32]byte{1}}
	}
	return o
}

// storePurchases stores orders and returns their outcomes.
func storePurchases(t *testing.T, s *Store, batch uuid.UUID, orders ...event.Order) []committer.Outcome {
	t.Helper()
	outcomes, err := s.StorePurchases(t.Context(), batch, orders)
	if err != nil || len(outcomes) != len(orders) {
		t.Fatalf("%d outcomes of %d purchases, %v", len(outcomes), len(orders), err)
	}
	return outcomes
}

// wantOutcomes compares outcomes with the expected ones.
func wantOutcomes(t *testing.T, want, got []committer.Outcome) {
	t.Helper()
	equalTimes := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
	if diff := cmp.Diff(want, got, equalTimes, cmpopts.EquateErrors()); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// fresh is the outcome of a new order.
func fresh(o event.Order, batch uuid.UUID, receivedAt time.Time) committer.Outcome {
	p := o.Purchase
	p.BatchID, p.ReceivedAt = batch, receivedAt
	return committer.Outcome{Purchase: p}
}

// replayed is the outcome of an order that was stored before.
func replayed(first committer.Outcome) committer.Outcome {
	return committer.Outcome{Purchase: first.Purchase, Replayed: true}
}

// wantReceipt checks the receipt of a batch, which says when its purchases were received.
func wantReceipt(t *testing.T, s *Store, batch uuid.UUID, rows int, receivedAt time.Time) {
	t.Helper()
	r, err := s.Receipt(t.Context(), batch)
	if err != nil || r.Rows != rows || !r.ReceivedAt.Equal(receivedAt) {
		t.Errorf("receipt %+v, %v; want %d rows at %s", r, err, rows, receivedAt)
	}
}

func TestNewPurchasesShareABatch(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string][3]string{"without keys": {}, "with keys": {"a", "b", "c"}, "mixed": {"a", "", "c"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, _ := newStore(t)
			orders, batch := []event.Order{order(keys[0]), order(keys[1]), order(keys[2])}, event.NewID()
			first := storePurchases(t, store, batch, orders...)
			receivedAt := first[0].Purchase.ReceivedAt
			var again []committer.Outcome
			for i, o := range orders {
				wantOutcomes(t, []committer.Outcome{fresh(o, batch, receivedAt)}, first[i:i+1])
				again = append(again, replayed(first[i]))
			}
			wantReceipt(t, store, batch, 3, receivedAt)
			wantOutcomes(t, again, storePurchases(t, store, event.NewID(), orders...))
		})
	}
}

func TestARepeatedPurchaseTurnsChecksOn(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	known := order("")
	first := storePurchases(t, store, event.NewID(), known)
	orders, batch := []event.Order{order(""), known, order("")}, event.NewID()
	got := storePurchases(t, store, batch, orders...)
	receivedAt := got[0].Purchase.ReceivedAt
	wantOutcomes(t, []committer.Outcome{fresh(orders[0], batch, receivedAt), replayed(first[0]), fresh(orders[2], batch, receivedAt)}, got)
	wantReceipt(t, store, batch, 2, receivedAt)
	if store.purchases.assumeNew() {
		t.Error("not checked right after a conflict")
	}
}

func TestEachPurchaseHasItsOwnOutcome(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	knownKey, knownID := order("known"), order("")
	first := storePurchases(t, store, event.NewID(), knownKey, knownID)

	// Another process works on a key.
	holder, err := database.Pool("hp_ingest").Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Rollback(context.WithoutCancel(t.Context()))
	if _, err := holder.Exec(t.Context(), `SELECT `+lockKey+` FROM (VALUES ('key:1', 'locked')) AS s (principal, key)`); err != nil {
		t.Fatal(err)
	}

	sameKey := order("known") // another id: its key decides
	sameKey.ID = uuid.New()
	otherBody := order("known-2")
	otherBody.Key = &event.IdempotencyKey{Principal: "key:1", Key: "known", BodyHash: [32]byte{2}}
	otherUser := knownID
	otherUser.UserID = "eve"
	keyForKnownID := knownID
	keyForKnownID.Key = &event.IdempotencyKey{Principal: "key:1", Key: "later", BodyHash: [32]byte{1}}
	lockedForKnownID := knownID
	lockedForKnownID.Key = order("locked").Key
	anew, sameIDInFlush := order("new"), order("other")
	sameIDInFlush.Fact = anew.Fact
	last := order("")

	batch := event.NewID()
	got := storePurchases(t, store, batch,
		otherBody, order("locked"), knownID, otherUser, keyForKnownID, anew, sameIDInFlush, last)
	receivedAt := got[7].Purchase.ReceivedAt
	stored := fresh(anew, batch, receivedAt)
	wantOutcomes(t, []committer.Outcome{
		{Err: event.ErrKeyReused}, {Err: event.ErrKeyInFlight}, replayed(first[1]), {Err: event.ErrIDTaken}, replayed(first[1]),
		stored, replayed(stored), fresh(last, batch, receivedAt),
	}, got)
	wantReceipt(t, store, batch, 2, receivedAt)

	wantOutcomes(t, []committer.Outcome{replayed(first[0])}, storePurchases(t, store, event.NewID(), sameKey))
	wantOutcomes(t, []committer.Outcome{{Err: event.ErrKeyInFlight}}, storePurchases(t, store, event.NewID(), lockedForKnownID))
	for _, o := range []event.Order{keyForKnownID, anew, sameIDInFlush} { // all keys have an answer now
		p, found, err := store.Replay(t.Context(), *o.Key)
		if err != nil || !found || p.ID != o.ID {
			t.Errorf("key %s replays %+v, %t, %v", o.Key.Key, p, found, err)
		}
	}
	if _, found, err := store.Replay(t.Context(), *otherBody.Key); found || !errors.Is(err, event.ErrKeyReused) {
		t.Errorf("the key with another body replays: %t, %v", found, err)
	}
}

// TestTheFirstOfTwoEqualIDsIsNotStored has a flush in which the first of two purchases with one id is answered by its key. So
// the second one is new, which only the second round can know.
func TestTheFirstOfTwoEqualIDsIsNotStored(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	known := order("known")
	first := storePurchases(t, store, event.NewID(), known)
	again, second := order("known"), order("")
	second.Fact = again.Fact
	got := storePurchases(t, store, event.NewID(), again, second)
	p := got[1].Purchase
	wantOutcomes(t, []committer.Outcome{replayed(first[0]), fresh(second, p.BatchID, p.ReceivedAt)}, got)
	wantReceipt(t, store, p.BatchID, 1, p.ReceivedAt)
}

func TestNoNewPurchaseNoReceipt(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	for _, o := range []event.Order{order("known"), order("")} {
		storePurchases(t, store, event.NewID(), o)
		storePurchases(t, store, event.NewID(), o)
	}
	var receipts int
	if err := database.Pool("").QueryRow(t.Context(), `SELECT count(*) FROM ingest.batches`).Scan(&receipts); err != nil || receipts != 2 {
		t.Errorf("%d receipts, %v; want 2", receipts, err)
	}
}

// TestKeysAcrossProcesses lets several stores work on the same keys at once, as replicas do when their clients retry
// elsewhere: each key is worth one purchase.
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
				for _, o := range storePurchases(t, store, event.NewID(), orders...) {
					if o.Err != nil && !errors.Is(o.Err, event.ErrKeyInFlight) {
						t.Error(o.Err)
					}
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

func TestAReplaySurvivesItsPartition(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	o := order("order-1")
	o.AmountMinor = 1e12
	first := storePurchases(t, store, event.NewID(), o)
	if _, err := database.Pool("").Exec(t.Context(), `SELECT ingest.drop_partitions_before(current_date + 2, false)`); err != nil {
		t.Fatal(err)
	}
	again, found, err := store.Replay(t.Context(), *o.Key)
	if err != nil || !found {
		t.Fatalf("got %t, %v", found, err)
	}
	wantOutcomes(t, []committer.Outcome{replayed(first[0])}, []committer.Outcome{{Purchase: again, Replayed: true}})
	if _, found, err := store.Replay(t.Context(), event.IdempotencyKey{Principal: "key:2", Key: "order-1"}); found || err != nil {
		t.Errorf("another caller's key: %t, %v", found, err)
	}
}
