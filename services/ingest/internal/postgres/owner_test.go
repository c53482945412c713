package postgres

import (
	"slices"
	"testing"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/committer"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// TestOwnersShareAFlush stores the same ids of two owners in one flush, with and without conflict checks.
func TestOwnersShareAFlush(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 250} {
		store, _ := newStore(t)
		events := someEvents(n)
		for i := range n {
			foreign := events[i]
			foreign.Owner = 7
			events = append(events, foreign)
		}
		for round, want := range []bool{true, false} {
			stored, err := store.StoreEvents(t.Context(), event.NewID(), events)
			if err != nil || slices.Contains(stored, !want) {
				t.Errorf("%d events of two owners, round %d: got %v, %v", n, round, stored, err)
			}
		}
		ids := []event.Identity{
			{Owner: events[0].Owner, ID: events[0].ID, TS: events[0].TS}, {Owner: 8, ID: events[0].ID, TS: events[0].TS},
		}
		if pending, err := store.PendingOf(t.Context(), ids[:1]); err != nil || len(pending) != 1 {
			t.Errorf("batches of an event: %v, %v", pending, err)
		}
		if pending, err := store.PendingOf(t.Context(), ids[1:]); err != nil || len(pending) != 0 {
			t.Errorf("batches of an event of nobody: %v, %v", pending, err)
		}
	}
	for _, key := range []string{"", "order-1"} {
		store, _ := newStore(t)
		mine, foreign := order(key), order(key)
		foreign.Fact, foreign.Owner = mine.Fact, 7
		if key != "" {
			foreign.Key.Principal = "another account"
		}
		batch := event.NewID()
		first := storePurchases(t, store, batch, mine, foreign)
		receivedAt := first[0].Purchase.ReceivedAt
		wantOutcomes(t, []committer.Outcome{fresh(mine, batch, receivedAt), fresh(foreign, batch, receivedAt)}, first)
		wantReceipt(t, store, batch, 2, receivedAt)
		again := storePurchases(t, store, event.NewID(), mine, foreign)
		for i := range again {
			again[i].Purchase.Owner = first[i].Purchase.Owner // is not read back
		}
		wantOutcomes(t, []committer.Outcome{replayed(first[0]), replayed(first[1])}, again)
	}
}
