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

// TestPurchasesTakeThePriceOfTheCatalog has a former price in the cache.
func TestPurchasesTakeThePriceOfTheCatalog(t *testing.T) {
	t.Parallel()
	amount := func(minor int64) func(*PurchaseDraft) {
		return func(d *PurchaseDraft) {
			d.set(FieldAmount)
			d.AmountMinor = minor
		}
	}
	customer := Caller{Project: shop.Project, Subject: "customer-17", Guest: true}
	for name, tc := range map[string]struct {
		caller Caller
		change func(*PurchaseDraft)
		amount int64
		want   string
	}{
		"list price":                     {caller: shop, amount: 15000},
		"a shop names the former amount": {caller: shop, change: amount(38700), amount: 38700},
		"a user at the new price":        {caller: customer, change: amount(15000), amount: 15000},
		"a user at the former price":     {caller: customer, change: amount(38700), want: CodePriceForbidden},
		"former price was too high":      {caller: shop, change: func(d *PurchaseDraft) { d.SKU, d.Quantity = "GOLD", 1_000_000 }, amount: 1_000_000},
		"was of another currency": {caller: shop, change: func(d *PurchaseDraft) {
			d.SKU, d.Currency = "EURO", "EUR"
			d.set(FieldCurrency)
		}, amount: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, recorder := newWorld()
			cheaper := shoe
			cheaper.PriceMinor = 5000
			w.former = map[Ref]Product{
				{Project: 1, SKU: "SHOE"}: shoe, {Project: 1, SKU: "GOLD"}: w.products[Ref{Project: 1, SKU: "GOLD"}], {Project: 1, SKU: "EURO"}: {ID: NewID(), PriceMinor: 1, Currency: "USD"},
			}
			w.products[Ref{Project: 1, SKU: "SHOE"}] = cheaper
			w.products[Ref{Project: 1, SKU: "GOLD"}] = Product{ID: w.former[Ref{Project: 1, SKU: "GOLD"}].ID, PriceMinor: 1, Currency: "EUR"}
			w.products[Ref{Project: 1, SKU: "EURO"}] = Product{ID: NewID(), PriceMinor: 1, Currency: "EUR"}
			draft := goodPurchase()
			if tc.change != nil {
				tc.change(&draft)
			}
			p, _, err := recorder.Purchase(t.Context(), tc.caller, draft, nil)
			if tc.want != "" {
				if refusal, ok := errors.AsType[*errs.Error](err); !ok || len(refusal.Fields) != 1 || refusal.Fields[0].Code != tc.want {
					t.Errorf("got %v, want %s", err, tc.want)
				}
				return
			}
			if err != nil || p.AmountMinor != tc.amount || p.Currency != "EUR" || p.ProductID != w.products[Ref{Project: 1, SKU: draft.SKU}].ID {
				t.Errorf("got %+v, %v; want %d EUR", p, err, tc.amount)
			}
		})
	}
}
