package products_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

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

var (
	shoe = event.Ref{SKU: "SHOE"}
	hat  = event.Ref{ID: uuid.MustParse("0195a3f2-7c1e-7b3a-9d54-2f6b1c8e4a10")}
	none = event.Ref{SKU: "NONE"}
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
	lookUp(t, cache, none, hat)
	if diff := cmp.Diff([][]event.Ref{{shoe}, {hat, none}}, source.asked); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
}

func TestChangesAreSeenWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newCatalog()
		cache := products.New(source, prometheus.NewRegistry())
		defer cache.Close()
		lookUp(t, cache, shoe, none)
		source.products[shoe] = event.Product{ID: uuid.New(), Archived: true}
		source.products[none] = event.Product{ID: uuid.New(), Currency: "EUR"}
		<-time.After(1100 * time.Millisecond)
		if !lookUp(t, cache, none)[0].Exists() {
			t.Error("a new product is still unknown after a second")
		}
		if lookUp(t, cache, shoe)[0].Archived {
			t.Error("a known product was asked for again after a second")
		}
		<-time.After(3400 * time.Millisecond)
		if !lookUp(t, cache, shoe)[0].Archived {
			t.Error("an archived product is still active after 4.5 s")
		}
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
