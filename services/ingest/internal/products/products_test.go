package products_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/products"
)

// catalog is a source that remembers what it was asked.
type catalog struct {
	products map[event.Ref]event.Product
	asked    [][]event.Ref
	failure  error
}

func (c *catalog) Products(_ context.Context, refs []event.Ref) (map[event.Ref]event.Product, error) {
	c.asked = append(c.asked, refs)
	found := map[event.Ref]event.Product{}
	for _, ref := range refs {
		if p, ok := c.products[ref]; ok {
			found[ref] = p
		}
	}
	return found, c.failure
}

func (c *catalog) CreatePlaceholders(_ context.Context, refs []event.Ref, currency string) error {
	for _, ref := range refs {
		c.products[ref] = event.Product{ID: uuid.New(), Currency: currency}
	}
	return c.failure
}

var (
	shoe = event.Ref{Project: 1, SKU: "SHOE"}
	hat  = event.Ref{Project: 1, ID: uuid.MustParse("0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10")}
	none = event.Ref{Project: 1, SKU: "NONE"}
)

func newCatalog() *catalog {
	return &catalog{products: map[event.Ref]event.Product{shoe: {ID: uuid.New(), Currency: "EUR"}, hat: {ID: hat.ID, Currency: "USD"}}}
}

func lookUp(t *testing.T, c *products.Cache, refs ...event.Ref) []event.Product {
	t.Helper()
	found, err := c.Products(t.Context(), refs)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestOneQueryForAllThatIsNotKnown(t *testing.T) {
	t.Parallel()
	source := newCatalog()
	cache := products.New(source, prometheus.NewRegistry())
	t.Cleanup(cache.Close)
	lookUp(t, cache, shoe)
	got := lookUp(t, cache, hat, shoe, event.Ref{}, none, hat)
	want := []event.Product{source.products[hat], source.products[shoe], {}, {}, source.products[hat]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	lookUp(t, cache, shoe, hat)
	if diff := cmp.Diff([][]event.Ref{{shoe}, {hat, none}}, source.asked); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
}

func TestUncached(t *testing.T) {
	t.Parallel()
	source := newCatalog()
	cache := products.New(source, prometheus.NewRegistry())
	t.Cleanup(cache.Close)
	for range 2 {
		found, err := cache.Uncached().Products(t.Context(), []event.Ref{shoe})
		if err != nil || !cmp.Equal(found, []event.Product{source.products[shoe]}) {
			t.Fatalf("found %+v, %v", found, err)
		}
	}
	if diff := cmp.Diff([][]event.Ref{{shoe}, {shoe}}, source.asked); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
}

// TestOnlyExistenceIsRemembered looks up what is refused: nothing checks a refusal later on, so it must not be out of date.
func TestOnlyExistenceIsRemembered(t *testing.T) {
	t.Parallel()
	source := newCatalog()
	cache := products.New(source, prometheus.NewRegistry())
	t.Cleanup(cache.Close)
	if found := lookUp(t, cache, none); found[0].Exists() {
		t.Errorf("found %+v", found)
	}
	if err := cache.CreatePlaceholders(t.Context(), []event.Ref{none}, "JPY"); err != nil {
		t.Fatal(err)
	}
	if found := lookUp(t, cache, none); found[0].Currency != "JPY" {
		t.Errorf("a product that was created: %+v", found)
	}
}

// TestProjectsHaveTheirOwnProducts looks up the same SKU in two projects.
func TestProjectsHaveTheirOwnProducts(t *testing.T) {
	t.Parallel()
	source := newCatalog()
	cache := products.New(source, prometheus.NewRegistry())
	t.Cleanup(cache.Close)
	other := event.Ref{Project: 2, SKU: shoe.SKU}
	if found := lookUp(t, cache, shoe, other); !found[0].Exists() || found[1].Exists() {
		t.Errorf("found %+v", found)
	}
}

// TestReloadReplaces changes a product that the cache has.
func TestReloadReplaces(t *testing.T) {
	t.Parallel()
	source := newCatalog()
	cache := products.New(source, prometheus.NewRegistry())
	t.Cleanup(cache.Close)
	lookUp(t, cache, shoe, hat)
	source.products[shoe] = event.Product{ID: uuid.New(), PriceMinor: 5000}
	source.products[hat] = event.Product{ID: hat.ID, PriceMinor: 900}
	found, err := cache.Reload(t.Context(), []event.Ref{shoe, {}, hat})
	want := []event.Product{source.products[shoe], {}, source.products[hat]}
	if diff := cmp.Diff(want, found); err != nil || diff != "" {
		t.Fatalf("%v; reloaded (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(want, lookUp(t, cache, shoe, event.Ref{}, hat)); diff != "" {
		t.Errorf("found after the reload (-want +got):\n%s", diff)
	}
}

func TestEntriesExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newCatalog()
		cache := products.New(source, prometheus.NewRegistry())
		defer cache.Close()
		lookUp(t, cache, shoe)
		source.products[shoe] = event.Product{ID: uuid.New(), PriceMinor: 5000}
		<-time.After(3 * time.Second)
		if lookUp(t, cache, shoe)[0].PriceMinor == 5000 {
			t.Error("a known product was asked for again after 3 s")
		}
		<-time.After(1500 * time.Millisecond)
		if lookUp(t, cache, shoe)[0].PriceMinor != 5000 {
			t.Error("a product is remembered after 4.5 s")
		}
	})
}

// slowCatalog answers when it is told to, with the products as they were when it was asked.
type slowCatalog struct {
	*catalog
	answer chan struct{}
}

func (c *slowCatalog) Products(ctx context.Context, refs []event.Ref) (map[event.Ref]event.Product, error) {
	found, err := c.catalog.Products(ctx, refs)
	<-c.answer
	return found, err
}

// TestLookupsShareQueries starts look-ups while as many queries are in flight as may be. They share one, and it begins after
// them.
func TestLookupsShareQueries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &slowCatalog{catalog: &catalog{products: map[event.Ref]event.Product{}}, answer: make(chan struct{})}
		cache := products.New(source, prometheus.NewRegistry())
		defer cache.Close()
		var lookups sync.WaitGroup
		start := func(want bool) {
			lookups.Go(func() {
				if found := lookUp(t, cache, none); found[0].Exists() != want {
					t.Errorf("found %+v, want one that exists: %t", found[0], want)
				}
			})
			synctest.Wait()
		}
		start(false)
		start(false)
		source.products[none] = event.Product{ID: uuid.New(), PriceMinor: 900} // answered to its writer before the next look-ups
		for range 100 {
			start(true)
		}
		close(source.answer)
		lookups.Wait()
		if len(source.asked) != 3 {
			t.Errorf("%d queries, want 3", len(source.asked))
		}
	})
}

// TestNothingToReload reloads for events that have no products to look up.
func TestNothingToReload(t *testing.T) {
	t.Parallel()
	source := newCatalog()
	cache := products.New(source, prometheus.NewRegistry())
	t.Cleanup(cache.Close)
	for _, refs := range [][]event.Ref{nil, {{}}} {
		if found, err := cache.Reload(t.Context(), refs); err != nil || len(found) != len(refs) {
			t.Errorf("found %v, %v", found, err)
		}
	}
	if len(source.asked) != 0 {
		t.Errorf("queries %v", source.asked)
	}
}

// TestALookupEndsWithItsRequest abandons look-ups while the source does not answer: they end at their deadlines, also those that
// have begun a query. Others still share the query.
func TestALookupEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &slowCatalog{catalog: newCatalog(), answer: make(chan struct{})}
		cache := products.New(source, prometheus.NewRegistry())
		defer cache.Close()
		var lookups sync.WaitGroup
		var ended atomic.Int32
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			lookups.Go(func() {
				defer ended.Add(1)
				if _, err := cache.Products(ctx, []event.Ref{none}); err != nil && !errs.Is(err, errs.Unavailable) {
					t.Errorf("got %v, want an answer or unavailable", err)
				}
			})
			synctest.Wait()
		}
		<-time.After(2 * time.Second)
		if n := ended.Load(); n != 3 {
			t.Errorf("%d look-ups have ended with their requests, want 3", n)
		}
		lookups.Go(func() { lookUp(t, cache, shoe) })
		synctest.Wait()
		close(source.answer)
		lookups.Wait()
	})
}

func TestFailuresAreNotRemembered(t *testing.T) {
	t.Parallel()
	source := newCatalog()
	source.failure = errors.New("database down")
	cache := products.New(source, prometheus.NewRegistry())
	t.Cleanup(cache.Close)
	if _, err := cache.Products(t.Context(), []event.Ref{shoe}); !errors.Is(err, source.failure) {
		t.Fatalf("got %v", err)
	}
	source.failure = nil
	if !lookUp(t, cache, shoe)[0].Exists() {
		t.Error("the product is unknown after a failed look-up")
	}
}
