package postgres_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hp-analytics/hp-analytics/services/catalog/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

func bulkOf(contents ...product.Content) *product.Bulk {
	var bulk product.Bulk
	for i, c := range contents {
		bulk.Add(i, c.SKU, patchOf(c))
	}
	return &bulk
}

// patchOf returns the patch that gives a product this content.
func patchOf(c product.Content) product.Patch {
	patch := product.Patch{
		Name: &c.Name, Description: &c.Description, Category: &c.Category, PriceMinor: &c.PriceMinor, Currency: &c.Currency,
		Prices: make(map[string]*int64), Attributes: c.Attributes, Whole: true,
	}
	for code, minor := range c.Prices {
		patch.Prices[code] = &minor
	}
	return patch
}

func upsert(t *testing.T, s *postgres.Store, bulk *product.Bulk) {
	t.Helper()
	if err := s.Upsert(command(t), project, bulk); err != nil {
		t.Fatal(err)
	}
}

func TestUpsert(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	same, changed, dollars := create(t, s, content("SAME")), create(t, s, content("CHANGED")), create(t, s, content("DOLLARS"))
	archived, err := s.Update(command(t), project, changed.ID, func(p product.Product) (product.Product, error) {
		p.Status = product.Archived
		return p, nil
	})
	if err != nil {
		t.Fatal(err)
	}

	other := content("CHANGED")
	other.Name, other.Attributes = "New name", json.RawMessage(`{}`)
	otherCurrency := content("DOLLARS")
	otherCurrency.Currency, otherCurrency.PriceMinor, otherCurrency.Prices = "USD", 1, nil
	bulk := bulkOf(content("NEW"), other, otherCurrency, content("SAME"), content("ALSO-NEW"))
	upsert(t, s, bulk)

	if bulk.Created != 2 || bulk.Unchanged != 1 || bulk.Updated != 2 || bulk.Archived != 1 {
		t.Errorf("created %d, unchanged %d, updated %d, archived %d; want 2, 1, 2 and 1", bulk.Created, bulk.Unchanged, bulk.Updated, bulk.Archived)
	}
	want := archived // the status stays, as everything that a bulk request does not have
	want.Version, want.Name, want.Attributes = 3, "New name", json.RawMessage(`{}`)
	wantDollars := dollars
	wantDollars.Version, wantDollars.Content = 2, otherCurrency
	wantDollars.Prices = map[string]int64{}
	if diff := cmp.Diff([]product.Product{want, wantDollars}, bulk.Changed, byMeaning, cmpopts.IgnoreFields(product.Product{}, "UpdatedAt")); diff != "" {
		t.Errorf("updated (-want +got):\n%s", diff)
	}
	if found, err := s.Find(command(t), project, same.ID); err != nil || !cmp.Equal(same, found) {
		t.Errorf("SAME was written: %+v, %v", found, err)
	}
	if items, _, err := s.List(command(t), product.Page{Filter: product.Filter{Project: project}, Limit: 10}); err != nil || len(items) != 5 {
		t.Errorf("%d products, %v; want 5", len(items), err)
	}
}

func TestUpsertNothing(t *testing.T) {
	t.Parallel()
	bulk := bulkOf()
	upsert(t, newStore(t), bulk)
	if bulk.Created+bulk.Unchanged+bulk.Updated+len(bulk.Refusals) > 0 {
		t.Errorf("nothing becomes %+v", bulk)
	}
}

// TestUpsertsDoNotDeadlock lets upserts of the same products fight in opposite orders. Without an order of the store's
// own Postgres ends one of them as a deadlock within a few rounds.
func TestUpsertsDoNotDeadlock(t *testing.T) {
	t.Parallel()
	const products, rounds = 300, 15
	s := newStore(t)
	var forth []product.Content
	for i := range products {
		forth = append(forth, content(fmt.Sprintf("P-%d", i)))
	}
	upsert(t, s, bulkOf(forth...))
	back := slices.Clone(forth)
	slices.Reverse(back)

	var wg sync.WaitGroup
	for writer, contents := range [][]product.Content{forth, back} {
		wg.Go(func() {
			for round := range rounds {
				priced := slices.Clone(contents)
				for i := range priced {
					priced[i].PriceMinor = int64(1 + 2*round + writer) // always a change
				}
				bulk := bulkOf(priced...)
				if err := s.Upsert(command(t), project, bulk); err != nil || bulk.Updated != products {
					t.Errorf("writer %d, round %d: %d updated, %v", writer, round, bulk.Updated, err)
				}
			}
		})
	}
	wg.Wait()
	items, _, err := s.List(command(t), product.Page{Filter: product.Filter{Project: project}, Limit: products})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range items {
		if p.Version != 1+2*rounds || p.PriceMinor != items[0].PriceMinor {
			t.Errorf("%s: version %d, price %d: two upserts were mixed, or a change was lost", p.SKU, p.Version, p.PriceMinor)
		}
	}
}

// TestConcurrentUpsertsOfNewProducts checks that each product is created once.
func TestConcurrentUpsertsOfNewProducts(t *testing.T) {
	t.Parallel()
	const products, writers = 100, 4
	s := newStore(t)
	var contents []product.Content
	for i := range products {
		contents = append(contents, content(fmt.Sprintf("P-%d", i)))
	}
	bulks := make([]*product.Bulk, writers)
	var wg sync.WaitGroup
	for i := range bulks {
		bulks[i] = bulkOf(contents...)
		slices.Reverse(contents)
		wg.Go(func() {
			if err := s.Upsert(command(t), project, bulks[i]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var created, unchanged int
	for _, bulk := range bulks {
		created += bulk.Created
		unchanged += bulk.Unchanged
	}
	if created != products || unchanged != products*(writers-1) {
		t.Errorf("%d created and %d unchanged, want %d and %d", created, unchanged, products, products*(writers-1))
	}
}
