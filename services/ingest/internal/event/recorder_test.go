package event

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// world stands in for everything around a Recorder. It remembers what was stored, by id.
type world struct {
	products map[Ref]Product
	lookups  [][]Ref
	events   map[uuid.UUID]Event
	receipts []int64
	failure  error
	room     int                   // for placeholder products
	created  []string              // SKUs of placeholder products
	times    map[Receipt]time.Time // without TS
	prepared []time.Time
	closed   map[time.Time]error // days that take no events, by the times of these
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

func (w *world) CreatePlaceholders(_ context.Context, refs []Ref, currency string) error {
	for _, ref := range refs {
		if len(w.created) < w.room {
			w.created = append(w.created, ref.SKU)
			w.products[ref] = Product{ID: NewID(), N: 100, Currency: currency}
		}
	}
	return nil
}

func (w *world) Expire(int16, int64) {}

func (w *world) Users(_ context.Context, _ int16, refs []UserRef) ([]User, error) {
	users := make([]User, len(refs))
	for i, ref := range refs {
		if ref != (UserRef{}) {
			users[i].N = int64(len(ref.UserID + ref.AnonymousID))
		}
	}
	return users, nil
}

func (w *world) Names(_ context.Context, _ int16, _ string, names []string) ([]int16, error) {
	numbers := make([]int16, len(names))
	for i, name := range names {
		if name != "one too many" {
			numbers[i] = int16(len(name))
		}
	}
	return numbers, nil
}

func (w *world) FirstTimes(_ context.Context, receipts []Receipt) ([]time.Time, error) {
	first := make([]time.Time, len(receipts))
	for i, r := range receipts {
		ts := r.TS
		r.Sent, r.TS = r.Sent.UTC(), time.Time{}
		if _, known := w.times[r]; !known {
			w.times[r] = ts
		}
		first[i] = w.times[r]
	}
	return first, nil
}

func (w *world) PrepareDays(_ context.Context, _ int16, times []time.Time) ([]error, error) {
	w.prepared = append(w.prepared, times...)
	reasons := make([]error, len(times))
	for i, ts := range times {
		reasons[i] = w.closed[ts]
	}
	return reasons, w.failure
}

// changed returns an error unless the product of a fact is what the catalog has.
func (w *world) changed(f *Fact) error {
	if p := w.products[f.ref()]; p.ID != f.ProductID {
		return ErrProductChanged
	}
	return nil
}

func (w *world) CommitEvents(_ context.Context, events []Event) (int64, []Status, error) {
	if w.failure != nil {
		return 0, nil, w.failure
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
		return 0, nil, obstacles
	}
	batch := int64(len(w.receipts) + 1)
	w.receipts = append(w.receipts, batch)
	stored := make([]Status, len(events))
	for i, e := range events {
		before, old := w.events[e.ID]
		switch {
		case !old:
			w.events[e.ID], stored[i] = e, Accepted
		case before.Name == e.Name && bytes.Equal(before.Properties, e.Properties):
			stored[i] = Duplicate
		default:
			stored[i] = Conflicting
		}
	}
	return batch, stored, nil
}

// shop is a caller with an API key.
var shop = Caller{Project: authn.Project{ID: 1}}

var shoe = Product{N: 7, ID: uuid.MustParse("0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10"), PriceMinor: 12900, Currency: "EUR"}

func newWorld() (*world, *Recorder) {
	w := &world{
		products: map[Ref]Product{
			{Project: 1, SKU: "SHOE"}: shoe,
			{Project: 1, SKU: "OLD"}:  {ID: NewID(), Currency: "EUR"},
			{Project: 1, SKU: "GOLD"}: {ID: NewID(), PriceMinor: 2_000_000, Currency: "EUR"},
		},
		events: map[uuid.UUID]Event{}, times: map[Receipt]time.Time{},
	}
	return w, NewRecorder(rules, Deps{Catalog: w, Dictionary: w, Times: w, Days: w, Committer: w})
}

// sentTime is that of the events with an id.
var sentTime = time.Now().Add(-time.Minute)

func withID(d Draft, id uuid.UUID) Draft {
	d.set(FieldID)
	d.set(FieldTS)
	d.ID, d.TS = id, sentTime
	return d
}

func withSKU(d Draft, sku string) Draft {
	d.SKU = sku
	return d
}

func TestEventsOfOneRequest(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	known, twice := NewID(), NewID()
	w.events[known] = Event{Name: 4}
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
	batch, verdicts, err := recorder.Events(t.Context(), shop, drafts)
	if err != nil {
		t.Fatal(err)
	}
	var got []Status
	for _, v := range verdicts {
		got = append(got, v.Status)
	}
	if diff := cmp.Diff([]Status{Accepted, Duplicate, Rejected, Accepted, Duplicate, Accepted, Rejected}, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	for i, want := range map[int]string{2: CodeUnknownProduct, 6: CodeWrongType} {
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
	if !slices.Equal(w.receipts, []int64{batch}) {
		t.Errorf("stored as %v, answered with %d", w.receipts, batch)
	}
}

func TestWhatIsRefusedWholeIsNotStored(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	batch, verdicts, err := recorder.Events(t.Context(), shop, []Draft{withSKU(goodDraft(), "NONE")})
	if err != nil || verdicts[0].Status != Rejected || batch != 0 || len(w.receipts) != 0 {
		t.Fatalf("got %v, %v, batch %d of %v", verdicts, err, batch, w.receipts)
	}
}

// TestTheSameIdentityWithOtherContent sends an id and ts again, in one request and in another one.
func TestTheSameIdentityWithOtherContent(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	id := NewID()
	first, other, more := withID(goodDraft(), id), withID(goodDraft(), id), withID(goodDraft(), id)
	other.Type = "add_to_cart"
	more.Properties = []byte(`{"a":1}`)
	for _, drafts := range [][]Draft{{first, other, first, more, other}, {other, first, more, first}} {
		_, verdicts, err := recorder.Events(t.Context(), shop, drafts)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range verdicts {
			if same := drafts[i].Type == "view" && drafts[i].Properties == nil; same == (v.Status == Conflicting) {
				t.Errorf("event %d (%s) has status %d", i, drafts[i].Type, v.Status)
			}
			if v.Status == Conflicting && !slices.Equal(codes(drafts[i].Problems), []string{"/id conflict"}) {
				t.Errorf("event %d: problems %v", i, drafts[i].Problems)
			}
		}
	}
	if _, _, err := recorder.Event(t.Context(), shop, new(other)); !errors.Is(err, ErrConflict) {
		t.Errorf("alone: got %v", err)
	}
	if len(w.events) != 1 || w.events[id].Type != "view" {
		t.Errorf("stored %+v", w.events)
	}
}

func TestNamesBeyondTheLimitAreRefused(t *testing.T) {
	t.Parallel()
	_, recorder := newWorld()
	drafts := []Draft{goodDraft(), goodDraft()}
	drafts[1].Type = "one too many"
	_, verdicts, err := recorder.Events(t.Context(), shop, drafts)
	if err != nil || verdicts[0].Status != Accepted || !slices.Equal(codes(drafts[1].Problems), []string{"/type too_many_event_types"}) {
		t.Errorf("got %v, %v, %v", verdicts, err, drafts[1].Problems)
	}
}

// TestUnknownSKUsBecomeProducts sends unknown SKUs with a key that wants that, up to the limits of a request and of a project.
func TestUnknownSKUsBecomeProducts(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	w.room = maxNewProducts - 1
	caller := shop
	caller.CreateProducts, caller.Project.Currency = true, "JPY"
	var drafts []Draft
	for i := range maxNewProducts + 2 {
		drafts = append(drafts, withSKU(goodDraft(), fmt.Sprint("NEW ", i)))
	}
	byID := goodDraft()
	byID.unset(FieldSKU)
	byID.set(FieldProductID)
	byID.ProductID = NewID()
	drafts = append(drafts, withSKU(goodDraft(), "NEW 0"), byID)
	_, verdicts, err := recorder.Events(t.Context(), caller, drafts)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range map[int]string{
		0: "", maxNewProducts - 2: "", maxNewProducts - 1: "/sku too_many_new_products", maxNewProducts: "/sku too_many_new_products",
		maxNewProducts + 1: "/sku too_many_new_products", maxNewProducts + 2: "", maxNewProducts + 3: "/product_id unknown_product",
	} {
		got := codes(drafts[i].Problems)
		if want == "" && (len(got) > 0 || verdicts[i].Status != Accepted) || want != "" && !slices.Equal(got, []string{want}) {
			t.Errorf("event %d: %v, status %d; want %q", i, got, verdicts[i].Status, want)
		}
	}
	if p := w.products[Ref{Project: 1, SKU: "NEW 0"}]; len(w.created) != w.room || p.Currency != "JPY" {
		t.Errorf("created %d products, such as %+v", len(w.created), p)
	}
	if _, _, err := recorder.Event(t.Context(), shop, new(withSKU(goodDraft(), "NEWER"))); !errs.Is(err, errs.Invalid) {
		t.Errorf("a key that refuses: %v", err)
	}
}

func TestOneRefusedEventStoresNothing(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	draft := withSKU(goodDraft(), "NONE")
	draft.unset(FieldType)
	_, _, err := recorder.Event(t.Context(), shop, &draft)
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
	if _, _, err := recorder.Event(t.Context(), shop, new(goodDraft())); !errors.Is(err, w.failure) {
		t.Errorf("event: got %v", err)
	}
}

// TestDaysOfOldEventsArePrepared for the good events of an import, before they are committed, and for old events without one.
func TestDaysOfOldEventsArePrepared(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	old, refused := withID(goodDraft(), NewID()), withID(goodDraft(), NewID())
	old.TS = time.Date(2011, 3, 4, 5, 6, 7, 0, time.UTC)
	refused.TS, refused.SKU = old.TS.AddDate(0, 0, 1), "NONE"
	refused.set(FieldSKU)
	w.failure = errors.New("an outage")
	importer := shop
	importer.Import = &Import{Project: 1, First: old.TS.AddDate(0, 0, -9), Last: old.TS}
	for _, caller := range []Caller{shop, importer} {
		if _, _, err := recorder.Events(t.Context(), caller, []Draft{refused, withID(goodDraft(), NewID()), old}); !errors.Is(err, w.failure) {
			t.Errorf("got %v", err)
		}
		if caller.Import == nil && w.prepared != nil {
			t.Errorf("prepared %v for no import", w.prepared)
		}
	}
	if len(w.prepared) != 1 || !w.prepared[0].Equal(old.TS) || len(w.receipts) != 0 {
		t.Errorf("prepared %v", w.prepared)
	}
	late := withID(goodDraft(), NewID())
	late.TS = time.Now().AddDate(0, 0, -40)
	if _, _, err := recorder.Events(t.Context(), shop, []Draft{late}); !errors.Is(err, w.failure) || len(w.prepared) != 2 {
		t.Errorf("prepared %v for an event of a former month, %v", w.prepared, err)
	}
}

// TestDaysThatTakeNoEventsAreRefusedBeforeTheCommit with the reason, and the other events are stored.
func TestDaysThatTakeNoEventsAreRefusedBeforeTheCommit(t *testing.T) {
	t.Parallel()
	w, recorder := newWorld()
	dropped, many := time.Date(2011, 3, 4, 5, 6, 7, 0, time.UTC), time.Date(2011, 3, 5, 5, 6, 7, 0, time.UTC)
	w.closed = map[time.Time]error{dropped: ErrDayDropped, many: ErrTooManyWeeks}
	importer := shop
	importer.Import = &Import{Project: 1, First: dropped.AddDate(0, 0, -9), Last: many}
	drafts := []Draft{withID(goodDraft(), NewID()), withID(goodDraft(), NewID()), withID(goodDraft(), NewID())}
	drafts[0].TS, drafts[1].TS = dropped, many
	_, verdicts, err := recorder.Events(t.Context(), importer, drafts)
	if err != nil || verdicts[2].Status != Accepted || len(drafts[0].Problems) != 1 || len(drafts[1].Problems) != 1 {
		t.Fatalf("%v, %v, %v", err, verdicts, drafts)
	}
	if a, b := drafts[0].Problems[0], drafts[1].Problems[0]; a.Code != CodeTooOld || b.Code != CodeTooManyWeeks || b.Pointer != "/ts" {
		t.Errorf("got %v and %v", a, b)
	}
}
