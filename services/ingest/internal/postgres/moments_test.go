package postgres

import "testing"

func TestABatchOfDuplicatesIsReceivedAndAggregatedAtOnce(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	events := someEvents(3)
	for range 2 {
		stored, err := store.StoreEvents(t.Context(), events)
		if err != nil {
			t.Fatal(err)
		}
		receipt, err := store.Receipt(t.Context(), 1, stored.Batches[1])
		if err != nil {
			t.Fatal(err)
		}
		if receipt.Rows == 0 && (receipt.AggregatedAt == nil || !receipt.AggregatedAt.Equal(receipt.ReceivedAt)) {
			t.Errorf("received at %s, aggregated at %v", receipt.ReceivedAt, receipt.AggregatedAt)
		}
	}
}
