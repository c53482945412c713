package event

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// world stands in for everything around a Recorder. It remembers what was stored, by id.
type world struct {
	products map[Ref]Product
	lookups  [][]Ref
	events   map[uuid.UUID]Event
	receipts []uuid.UUID
	purchase *Purchase // the answer to the one idempotency key
	failure  error
	// former are products as a cache still has them. What was examined with them is not stored.
	former map[Ref]Product
	// refuse, if it is set, decides what the store says of an event.
	refuse func(e Event) error
}

func (w *world) Products(ctx context.Context, refs []Ref) ([]Product, error) {
	found, err := w.Reload(ctx, refs)
	for i, ref := range refs {
		if p, stale := w.former[ref]; stale {
			found[i] = p
		}
	}
	return found, err
}

func (w *world) Reload(_ context.Context, refs []Ref) ([]Product, error) {
	w.lookups = append(w.lookups, refs)
	found := make([]Product, len(refs))
	for i, ref := range refs {
		found[i] = w.products[ref]
	}
	return found, nil
}

// changed returns an error unless the product of a fact is what the catalog has.
func (w *world) changed(f *Fact) error {
	if p := w.products[f.ref()]; p.ID != f.ProductID || p.Archived {
		return ErrProductChanged
	}
	return nil
}

func (w *world) CommitEvents(_ context.Context, events []Event) (uuid.UUID, []bool, error) {
	if w.failure != nil {
		return uuid.Nil, nil, w.failure
	}
	obstacles := BlockedError{}
	for i := range events {
		err := w.changed(&events[i].Fact)
		if err == nil && w.refuse != nil {
			err = w.refuse(events[i])
		}
		if err != nil {
			obstacles[i] = err
		}
	}
	if len(obstacles) > 0 {
		return uuid.Nil, nil, obstacles
	}
	batch := NewID()
	w.receipts = append(w.receipts, batch)
	stored := make([]bool, len(events))
	for i, e := range events {
		_, old := w.events[e.ID]
		w.events[e.ID], stored[i] = e, !old
	}
	return batch, stored, nil
}

func (w *world) CommitPurchase(_ context.Context, order Order) (Purchase, bool, error) {
	if err := w.changed(&order.Fact); err != nil {
		return Purchase{}, false, err
	}
	if order.ListPrice != nil && *order.ListPrice != w.products[order.ref()].PriceMinor {
		return Purchase{}, false, ErrProductChanged
	}
	if order.Key != nil {
		w.purchase = &order.Purchase
	}
	return order.Purchase, false, w.failure
}

func (w *world) Replay(context.Context, IdempotencyKey) (Purchase, bool, error) {
	if w.purchase == nil {
		return Purchase{}, false, nil
	}
	return *w.purchase, true, nil
}

var shoe = Product{ID: uuid.MustParse("0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10"), PriceMinor: 12900, Currency: "EUR"}

func newWorld() (*world, *Recorder) {
	w := &world{
		products: map[Ref]Product{
			{SKU: "SHOE"}: shoe,
			{SKU: "OLD"}:  {ID: NewID(), Archived: true, Currency: "EUR"},
			{SKU: "GOLD"}: {ID: NewID(), PriceMinor: 2_000_000, Currency: "EUR"},
		},
		events: map[uuid.UUID]Event{},
	}
	return w, NewRecorder(rules, w, w, w)
}

func withID(d Draft, id uuid.UUID) Draft {
	d.set(FieldID)
	d.ID = id
	return d
}

func withSKU(d Draft, sku string) Draft {
	d.Product.SKU = sku
	return d
}

func TestEventsOfOneRequest(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	known, twice := NewID(), NewID()
	w.events[known] = Event{}
	wrongType := goodDraft()
	wrongType.Refuse("/ts", CodeWrongType, "ts must be a string.")
	drafts := []Draft{
		goodDraft(),
		withID(goodDraft(), known),
		withID(withSKU(goodDraft(), "NONE"), twice), // refused, and so not the first of two
		withID(goodDraft(), twice),
		withID(goodDraft(), twice),
		withSKU(goodDraft(), "OLD"),
		wrongType,
	}
	batch, verdicts, err := recorder.Events(t.Context(), Caller{}, drafts)
	if err != nil {
		t.Fatal(err)
	}
	var got []Status
	for _, v := range verdicts {
		got = append(got, v.Status)
	}
	if diff := cmp.Diff([]Status{Accepted, Duplicate, Rejected, Accepted, Duplicate, Rejected, Rejected}, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	for i, want := range map[int]string{2: CodeUnknownProduct, 5: CodeArchivedProduct, 6: CodeWrongType} {
		if got := drafts[i].Problems[0].Code; got != want {
			t.Errorf("event %d is refused with %s, want %s", i, got, want)
		}
	}
	if e := w.events[twice]; e.ProductID != shoe.ID || e.UserID != "customer-17" || e.Type != "view" {
		t.Errorf("stored %+v", e)
	}
	if len(w.lookups) != 1 {
		t.Errorf("products were looked up %d times, want once for all", len(w.lookups))
	}
	if !slices.Equal(w.receipts, []uuid.UUID{batch}) {
		t.Errorf("stored as %v, answered with %s", w.receipts, batch)
	}
}

func TestNothingNewStillHasAReceipt(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	batch, verdicts, err := recorder.Events(t.Context(), Caller{}, []Draft{withSKU(goodDraft(), "NONE")})
	if err != nil || verdicts[0].Status != Rejected {
		t.Fatalf("got %v, %v", verdicts, err)
	}
	if !slices.Equal(w.receipts, []uuid.UUID{batch}) {
		t.Errorf("receipts %v, answered with %s", w.receipts, batch)
	}
}

func TestOneRefusedEventStoresNothing(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	draft := withSKU(goodDraft(), "NONE")
	draft.unset(FieldType)
	_, _, err := recorder.Event(t.Context(), Caller{}, draft)
	refusal, ok := errors.AsType[*errs.Error](err)
	if !ok || refusal.Kind != errs.Invalid {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff([]string{"/type required", "/sku unknown_product"}, codes(refusal.Fields)); diff != "" {
		t.Errorf("all its problems (-want +got):\n%s", diff)
	}
	if len(w.receipts) > 0 {
		t.Error("a batch was stored")
	}
}

func TestAFailedCommitIsTold(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	w.failure = errors.New("connection lost")
	if _, _, err := recorder.Event(t.Context(), Caller{}, goodDraft()); !errors.Is(err, w.failure) {
		t.Errorf("event: got %v", err)
	}
	if _, _, err := recorder.Purchase(t.Context(), Caller{}, goodPurchase(), nil); !errors.Is(err, w.failure) {
		t.Errorf("purchase: got %v", err)
	}
}

func goodPurchase() PurchaseDraft {
	d := PurchaseDraft{FactDraft: goodDraft().FactDraft, Quantity: 3}
	d.unset(FieldType)
	d.set(FieldQuantity)
	return d
}

func TestPurchaseTakesPriceAndCurrencyFromTheProduct(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*PurchaseDraft)
		amount int64
		want   string
	}{
		"list price":         {amount: 38700},
		"given amount":       {change: func(d *PurchaseDraft) { d.set(FieldAmount); d.AmountMinor = 5 }, amount: 5},
		"right currency":     {change: func(d *PurchaseDraft) { d.set(FieldCurrency); d.Currency = "EUR" }, amount: 38700},
		"other currency":     {change: func(d *PurchaseDraft) { d.set(FieldCurrency); d.Currency = "USD" }, want: CodeCurrencyMismatch},
		"price overflows":    {change: func(d *PurchaseDraft) { d.Product.SKU, d.Quantity = "GOLD", 500_001 }, want: CodeAmountTooLarge},
		"price just fits":    {change: func(d *PurchaseDraft) { d.Product.SKU, d.Quantity = "GOLD", 500_000 }, amount: 1e12},
		"archived product":   {change: func(d *PurchaseDraft) { d.Product.SKU = "OLD" }, want: CodeArchivedProduct},
		"quantity of nought": {change: func(d *PurchaseDraft) { d.Quantity = 0 }, want: CodeInvalidValue},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, recorder := newWorld()
			draft := goodPurchase()
			if tc.change != nil {
				tc.change(&draft)
			}
			p, replayed, err := recorder.Purchase(t.Context(), Caller{}, draft, nil)
			if tc.want != "" {
				if refusal, ok := errors.AsType[*errs.Error](err); !ok || refusal.Fields[0].Code != tc.want {
					t.Errorf("got %v, want %s", err, tc.want)
				}
				return
			}
			if err != nil || replayed || p.AmountMinor != tc.amount || p.Currency != "EUR" {
				t.Errorf("got %+v, %t, %v; want %d EUR", p, replayed, err, tc.amount)
			}
		})
	}
}

func TestARepeatedKeyIsAnsweredInSpiteOfTheRules(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	key := &IdempotencyKey{Principal: "key:1", Key: "order-1"}
	first, _, err := recorder.Purchase(t.Context(), Caller{}, goodPurchase(), key)
	if err != nil {
		t.Fatal(err)
	}
	archived := shoe
	archived.Archived = true
	w.products[Ref{SKU: "SHOE"}] = archived
	again, replayed, err := recorder.Purchase(t.Context(), Caller{}, goodPurchase(), key)
	if err != nil || !replayed {
		t.Fatalf("replayed %t, %v", replayed, err)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the repeated answer differs (-first +again):\n%s", diff)
	}
}

func TestPurchaseTimeIsNow(t *testing.T) {
	t.Parallel()
	_, recorder := newWorld()
	p, _, err := recorder.Purchase(t.Context(), Caller{}, goodPurchase(), nil)
	if err != nil || time.Since(p.TS).Abs() > time.Minute || p.ID.Version() != 7 {
		t.Errorf("got %+v, %v", p, err)
	}
}
