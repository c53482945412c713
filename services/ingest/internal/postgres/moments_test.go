package postgres

import (
	"testing"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// The clock goes on within a transaction: times that are told twice must be read once.

func TestAReplayHasTheTimeOfTheFirstAnswer(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	for what, o := range map[string]event.Order{"without a key": order(""), "with a key": order("order-1")} {
		batch := event.NewID()
		_, receivedAt, err := store.StorePurchases(t.Context(), batch, []event.Order{o})
		if err != nil {
			t.Fatal(err)
		}
		again, replayed, err := store.StorePurchase(t.Context(), o)
		if err != nil || !replayed || !again.ReceivedAt.Equal(receivedAt) {
			t.Errorf("%s: replayed %t at %s, %v; first answered with %s", what, replayed, again.ReceivedAt, err, receivedAt)
		}
		if receipt, err := store.Receipt(t.Context(), batch); err != nil || !receipt.ReceivedAt.Equal(receivedAt) {
			t.Errorf("%s: receipt of %s, %v; answered with %s", what, receipt.ReceivedAt, err, receivedAt)
		}
	}
}

func TestABatchOfDuplicatesIsReceivedAndAggregatedAtOnce(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	events := someEvents(3)
	for range 2 {
		batch := event.NewID()
		if _, err := store.StoreEvents(t.Context(), batch, events); err != nil {
			t.Fatal(err)
		}
		receipt, err := store.Receipt(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		if receipt.Rows == 0 && (receipt.AggregatedAt == nil || !receipt.AggregatedAt.Equal(receipt.ReceivedAt)) {
			t.Errorf("received at %s, aggregated at %v", receipt.ReceivedAt, receipt.AggregatedAt)
		}
	}
}
