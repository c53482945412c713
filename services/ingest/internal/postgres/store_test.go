package postgres

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }

// newStore returns a store that acts as the service does.
func newStore(t *testing.T) (*Store, *dbtest.Database) {
	t.Helper()
	database := dbtest.New(t)
	addProducts(t, database)
	return New(database.Pool("hp_ingest"), prometheus.NewRegistry()), database
}

// someProducts are those of the events and purchases of the tests.
var someProducts = func() (ids [100]uuid.UUID) {
	for i := range ids {
		ids[i] = uuid.New()
	}
	return ids
}()

// addProducts adds someProducts to the catalog, with the SKUs P-0, P-1 and so on, at 2.50 EUR.
func addProducts(tb testing.TB, database *dbtest.Database) {
	tb.Helper()
	_, err := database.Pool("").Exec(tb.Context(), `
		INSERT INTO catalog.products (id, n, project, sku, name, price_minor, currency) OVERRIDING SYSTEM VALUE
		SELECT id, n, 1, 'P-' || n - 1, 'Product', 250, 'EUR' FROM unnest($1::uuid[]) WITH ORDINALITY AS given (id, n)`, someProducts[:])
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := database.Pool("").Exec(tb.Context(), `ALTER SEQUENCE catalog.products_n_seq RESTART WITH 1000; ALTER SEQUENCE ingest.users_n_seq RESTART WITH 1000000`); err != nil {
		tb.Fatal(err)
	}
	// The users of someEvents, with the numbers that their ids end with.
	_, err = database.Pool("").Exec(tb.Context(), `
		INSERT INTO ingest.users (project, anonymous, n, id) OVERRIDING SYSTEM VALUE
		SELECT 1, false, n, 'user ' || n FROM generate_series(1, $1) AS n`, sizes[len(sizes)-1])
	if err != nil {
		tb.Fatal(err)
	}
}

// someEvents returns n events in an order that is not that of their keys.
func someEvents(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{
			Fact: event.Fact{
				Project: 1, ID: uuid.New(), TS: time.Now().UTC().Truncate(time.Microsecond).Add(-time.Duration(i*7%5) * time.Hour),
				Product: int32(i%len(someProducts) + 1), User: int64(i + 1),
			},
			Name: int16(i%30 + 1),
		}
		if i%3 == 0 {
			events[i].Product = 0
		}
		if i%2 == 0 {
			events[i].Properties = fmt.Appendf(nil, `{"i": %d}`, i)
		}
	}
	return events
}

// sizes are of a single event, a small flush and the largest one.
var sizes = []int{1, 9, 250, 4 * event.MaxBatch}

// statuses returns n times the same status.
func statuses(n int, status event.Status) []event.Status {
	return slices.Repeat([]event.Status{status}, n)
}

// store stores events, all of which are new.
func store(t *testing.T, s *Store, events []event.Event) (batch int64) {
	t.Helper()
	stored, err := s.StoreEvents(t.Context(), events)
	if err != nil || !slices.Equal(stored.Statuses, statuses(len(events), event.Accepted)) {
		t.Fatalf("got %v, %v; want all new", stored.Statuses, err)
	}
	return stored.Batches[events[0].Project]
}

// TestEventsAreStoredAsTheyAre stores flushes of each size in both ways.
func TestEventsAreStoredAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, n := range sizes {
		for _, checked := range []bool{false, true} {
			t.Run(fmt.Sprint(n, checked), func(t *testing.T) {
				t.Parallel()
				s, database := newStore(t)
				if checked {
					s.events.conflicted()
				}
				events := someEvents(n)
				batch := store(t, s, events)
				compareStored(t, database, events)
				compareFacts(t, database, batch, events)
			})
		}
	}
}

// TestASingleEventIsStoredAsItIs stores an event alone, with a product that is named by its SKU and without properties.
func TestASingleEventIsStoredAsItIs(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	events := someEvents(2)[1:]
	events[0].SKU = "P-1"
	batch := store(t, s, events)
	events[0].SKU = "" // not stored
	compareStored(t, database, events)
	compareFacts(t, database, batch, events)
	if n := count(t, database, `SELECT count(*) FROM ingest.events WHERE product = 2 AND properties IS NULL`); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// compareStored compares what is stored with what was sent, and first_seen of the users.
func compareStored(t *testing.T, database *dbtest.Database, events []event.Event) {
	t.Helper()
	rows, err := database.Pool("").Query(t.Context(),
		`SELECT e.project, e.id, ts, coalesce(product, 0), user_n, name, properties, first_seen
		FROM ingest.events AS e JOIN ingest.users AS u ON u.project = e.project AND u.n = user_n`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	byID := map[uuid.UUID]event.Event{}
	for rows.Next() {
		var e event.Event
		var seen *time.Time
		if err := rows.Scan(&e.Project, &e.ID, &e.TS, &e.Product, &e.User, &e.Name, &e.Properties, &seen); err != nil {
			t.Fatal(err)
		}
		if seen == nil || !seen.Equal(e.TS) { // each user has one event
			t.Errorf("user %d was first seen at %v, want %s", e.User, seen, e.TS)
		}
		e.TS = e.TS.UTC()
		byID[e.ID] = e
	}
	if len(byID) != len(events) {
		t.Errorf("%d rows, want %d", len(byID), len(events))
	}
	for _, want := range events {
		if diff := cmp.Diff(want, byID[want.ID]); diff != "" {
			t.Fatalf("event (-sent +stored):\n%s", diff)
		}
	}
}

// compareFacts compares the row of a batch, and the facts in it, with events.
func compareFacts(t *testing.T, database *dbtest.Database, id int64, events []event.Event) {
	t.Helper()
	var b batch
	var kind string
	var inBatch int
	err := database.Pool("").QueryRow(t.Context(), `SELECT project, kind, rows, min_ts, max_ts, facts,
		(SELECT count(*) FROM ingest.events e WHERE e.project = b.project AND e.batch = b.id)
		FROM ingest.batches b WHERE id = $1 AND aggregated_at IS NULL`, id).Scan(&b.project, &kind, &b.rows, &b.first, &b.last, &b.facts, &inBatch)
	if err != nil || b.rows != len(events) || inBatch != len(events) || kind != protocol.KindEvents {
		t.Fatalf("batch %d of %s: %d rows, %d stored, %v; want %d", id, kind, b.rows, inBatch, err, len(events))
	}
	want := map[facts.Event]int{}
	first, last := events[0].TS, events[0].TS
	for i := range events {
		want[factOf(&events[i])]++
		if events[i].TS.Before(first) {
			first = events[i].TS
		}
		if events[i].TS.After(last) {
			last = events[i].TS
		}
	}
	if !b.first.Equal(first) || !b.last.Equal(last) || b.project != events[0].Project {
		t.Errorf("the batch is from %s to %s of project %d, want %s to %s of %d", b.first, b.last, b.project, first, last, events[0].Project)
	}
	got := map[facts.Event]int{}
	reader, err := facts.NewReader(b.facts)
	if err != nil {
		t.Fatal(err)
	}
	for fact := (facts.Event{}); reader.Event(&fact); {
		got[fact]++
	}
	if diff := cmp.Diff(want, got); reader.Err() != nil || diff != "" {
		t.Errorf("%v; facts (-want +got):\n%s", reader.Err(), diff)
	}
}

// TestOneTakenKeyCostsNothingElse stores a batch of which one event exists already. The insert without a check leaves
// nothing behind, the one with the check stores the others, and the next flushes are checked as well.
func TestOneTakenKeyCostsNothingElse(t *testing.T) {
	t.Parallel()
	for _, n := range sizes[1:] {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			s, database := newStore(t)
			events := someEvents(n)
			store(t, s, events[3:4])
			stored, err := s.StoreEvents(t.Context(), events)
			want := statuses(n, event.Accepted)
			want[3] = event.Duplicate
			if err != nil || !slices.Equal(stored.Statuses, want) {
				t.Fatalf("got %v, %v; want all but the fourth", stored, err)
			}
			compareStored(t, database, events)
			compareFacts(t, database, stored.Batches[1], slices.Delete(slices.Clone(events), 3, 4))
			for range checkedFlushes {
				if s.events.assumeNew() {
					t.Fatal("not checked right after a conflict")
				}
			}
			if !s.events.assumeNew() {
				t.Error("checked for ever")
			}
		})
	}
}

func TestEachEventIsToldWhetherItIsNew(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	events := someEvents(8)
	store(t, s, []event.Event{events[1], events[4], events[7]})
	const isNew, known = event.Accepted, event.Duplicate
	for _, want := range [][]event.Status{{isNew, known, isNew, isNew, known, isNew, isNew, known}, statuses(8, known)} {
		if got, err := s.StoreEvents(t.Context(), events); err != nil || !slices.Equal(got.Statuses, want) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	}

	// Requests that share a flush may hold the same event, and the same id at another time is another event.
	twice, moved := someEvents(2)[0], events[1]
	moved.TS = moved.TS.Add(time.Second)
	got, err := s.StoreEvents(t.Context(), []event.Event{twice, moved, twice, events[1]})
	if want := []event.Status{isNew, isNew, known, known}; err != nil || !slices.Equal(got.Statuses, want) {
		t.Errorf("shared flush: got %v, %v; want %v", got, err, want)
	}
}

func TestProductsByIDAndBySKU(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	shoe, hat, foreign, other := uuid.New(), uuid.New(), uuid.New(), addProject(t, database)
	if _, err := database.Pool("").Exec(t.Context(), `INSERT INTO catalog.products (id, n, project, sku, name, price_minor, currency, status) OVERRIDING SYSTEM VALUE
		VALUES ($1, 501, 1, 'SHOE', 'Shoe', 12900, 'EUR', 'active'), ($2, 502, 1, 'HAT', 'Hat', 900, 'USD', 'archived'),
		       ($3, 503, $4, 'SHOE', 'Shoe', 700, 'JPY', 'active')`, shoe, hat, foreign, other); err != nil {
		t.Fatal(err)
	}
	got, err := store.Products(t.Context(), []event.Ref{
		{Project: 1, ID: shoe}, {Project: 1, SKU: "SHOE"}, {Project: 1, SKU: "HAT"}, {Project: 1, SKU: "NONE"}, {Project: 1, ID: uuid.New()},
		{Project: 1, ID: foreign}, {Project: other, ID: foreign}, {Project: other, SKU: "SHOE"}, {Project: other, SKU: "HAT"},
	})
	if err != nil {
		t.Fatal(err)
	}
	own, theirs := event.Product{ID: shoe, N: 501, SKU: "SHOE", PriceMinor: 12900, Currency: "EUR"}, event.Product{ID: foreign, N: 503, SKU: "SHOE", PriceMinor: 700, Currency: "JPY"}
	want := map[event.Ref]event.Product{
		{Project: 1, ID: shoe}:        own,
		{Project: 1, SKU: "SHOE"}:     own,
		{Project: 1, SKU: "HAT"}:      {ID: hat, N: 502, SKU: "HAT", PriceMinor: 900, Currency: "USD"},
		{Project: other, ID: foreign}: theirs,
		{Project: other, SKU: "SHOE"}: theirs,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("products (-want +got):\n%s", diff)
	}
	if none, err := store.Products(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("nothing asked for: got %v, %v", none, err)
	}
}

// addProject adds another project than the default one.
func addProject(t *testing.T, database *dbtest.Database) (id int16) {
	t.Helper()
	if err := database.Pool("").QueryRow(t.Context(), `INSERT INTO auth.projects (slug, name) VALUES ('other', 'Other') RETURNING id`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

// TestPlaceholders creates products for unknown SKUs of which one exists, up to the number that a project may have.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	execute(t, database, `INSERT INTO catalog.products (id, project, placeholder, sku, name, price_minor, currency)
		SELECT gen_random_uuid(), 1, true, 'OLD ' || n, 'Old', 0, 'EUR' FROM generate_series(1, $1) AS n`, event.MaxPlaceholders-2)
	other := addProject(t, database)
	refs := []event.Ref{{Project: 1, SKU: "größe-42"}, {Project: 1, SKU: "P-0"}, {Project: 1, SKU: "A#12"}, {Project: 1, SKU: "商品-1"}}
	for range 2 {
		if err := s.CreatePlaceholders(t.Context(), refs, "JPY"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CreatePlaceholders(t.Context(), []event.Ref{{Project: other, SKU: "A#12"}}, "EUR"); err != nil {
		t.Fatal(err)
	}
	found, err := s.Products(t.Context(), append(refs, event.Ref{Project: other, SKU: "A#12"}))
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, database, `SELECT count(*) FROM catalog.products WHERE placeholder AND project = 1`); n != event.MaxPlaceholders {
		t.Errorf("%d placeholders", n)
	}
	created := found[refs[2]]
	if created.Currency != "JPY" || created.PriceMinor != 0 || created.N == 0 || found[refs[1]].Currency != "EUR" || !found[event.Ref{Project: other, SKU: "A#12"}].Exists() {
		t.Errorf("found %+v", found)
	}
}

func TestAnUnknownReceipt(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	if _, err := store.Receipt(t.Context(), 1, 17); !errs.Is(err, errs.NotFound) {
		t.Errorf("got %v", err)
	}
}
