package postgres

import (
	"testing"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

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
