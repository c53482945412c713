package event

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// TestFormerProductsAreExaminedAgain lets the catalog answer with former versions of products, as a cache does.
func TestFormerProductsAreExaminedAgain(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	successor := Product{ID: NewID(), Currency: "EUR"}
	w.products[Ref{Project: 1, SKU: "SHOE"}] = successor // the SKU was given to another product
	w.former = map[Ref]Product{{Project: 1, SKU: "SHOE"}: shoe, {Project: 1, SKU: "OLD"}: w.products[Ref{Project: 1, SKU: "OLD"}]}
	delete(w.products, Ref{Project: 1, SKU: "OLD"}) // has another SKU now
	drafts := []Draft{goodDraft(), withSKU(goodDraft(), "OLD"), withSKU(goodDraft(), "GOLD")}
	_, verdicts, err := recorder.Events(t.Context(), shop, drafts)
	if err != nil {
		t.Fatal(err)
	}
	got := []Status{verdicts[0].Status, verdicts[1].Status, verdicts[2].Status}
	if diff := cmp.Diff([]Status{Accepted, Rejected, Accepted}, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/sku unknown_product"}, codes(drafts[1].Problems)); diff != "" {
		t.Errorf("the event of the renamed product (-want +got):\n%s", diff)
	}
	if e := w.events[verdicts[0].ID]; e.ProductID != successor.ID || len(w.receipts) != 1 {
		t.Errorf("stored %+v in %d batches, want product %s in one", e, len(w.receipts), successor.ID)
	}

	_, _, err = recorder.Event(t.Context(), shop, new(withSKU(goodDraft(), "OLD")))
	refusal, _ := errors.AsType[*errs.Error](err)
	if refusal == nil || len(refusal.Fields) != 1 || refusal.Fields[0].Code != CodeUnknownProduct || len(w.receipts) != 1 {
		t.Errorf("one event alone: %v, %d batches", err, len(w.receipts))
	}
}

// TestAProductThatAlwaysChanges examines an event a bounded number of times.
func TestAProductThatAlwaysChanges(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	w.refuse = func(Event) error { return ErrProductChanged }
	if _, _, err := recorder.Event(t.Context(), shop, new(goodDraft())); !errs.Is(err, errs.Unavailable) {
		t.Errorf("one event: got %v, want unavailable", err)
	}
	if _, _, err := recorder.Events(t.Context(), shop, []Draft{goodDraft()}); !errs.Is(err, errs.Unavailable) {
		t.Errorf("bulk: got %v, want unavailable", err)
	}
	if len(w.lookups) != 2*(1+maxAttempts) {
		t.Errorf("%d look-ups", len(w.lookups))
	}
}
