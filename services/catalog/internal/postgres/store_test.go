package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }

// command returns the context of the test as that of a command: the audit log has to say who does what.
func command(t *testing.T) context.Context { return audit.WithCommand(t.Context()) }

// project is the one that most tests act in: the schema begins with it.
const project = 1

// secondProject adds a project and returns its number.
func secondProject(t *testing.T, db *dbtest.Database) int16 {
	t.Helper()
	var id int16
	const insert = `INSERT INTO auth.projects (slug, name) VALUES ('second', 'Second') RETURNING id`
	if err := db.Pool("").QueryRow(command(t), insert).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

func newStore(t *testing.T) *postgres.Store {
	t.Helper()
	return postgres.New(dbtest.New(t).Pool("hp_catalog"))
}

func content(sku string) product.Content {
	return product.Content{
		SKU: sku, Name: "Name of " + sku, Description: "A text.", Category: "shoes", PriceMinor: 12_900, Currency: "EUR",
		Prices:     map[string]int64{"USD": 13_900},
		Attributes: json.RawMessage(`{"size":42}`),
	}
}

func create(t *testing.T, s *postgres.Store, c product.Content) product.Product {
	t.Helper()
	p, err := s.Create(command(t), project, c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// byMeaning compares attributes as JSON: Postgres writes them with other white space than we do.
var byMeaning = cmp.Transformer("json", func(raw json.RawMessage) any {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return err
	}
	return value
})

func TestCreateAndFind(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	created := create(t, s, content("A"))
	want := product.Product{ID: created.ID, Content: content("A"), Status: product.Active, Version: 1, CreatedAt: created.CreatedAt, UpdatedAt: created.CreatedAt}
	if diff := cmp.Diff(want, created, byMeaning); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	if created.ID.Version() != 7 || created.CreatedAt.IsZero() {
		t.Errorf("id %s is no UUIDv7, or created at %s", created.ID, created.CreatedAt)
	}
	found, err := s.Find(command(t), project, created.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(created, found); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}

	if _, err := s.Create(command(t), project, content("A")); !errs.Is(err, errs.Conflict) || errs.CodeOf(err) != "sku_taken" {
		t.Errorf("a second A: %v, want a conflict", err)
	}
	if _, err := s.Find(command(t), project, uuid.New()); !errs.Is(err, errs.NotFound) {
		t.Errorf("an unknown id: %v, want not found", err)
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	create(t, s, content("TAKEN"))
	created := create(t, s, content("A"))
	edit := func(f func(p *product.Product)) product.Change {
		return func(p product.Product) (product.Product, error) {
			f(&p)
			return p, nil
		}
	}

	same, err := s.Update(command(t), project, created.ID, edit(func(p *product.Product) { p.Attributes = json.RawMessage(`{ "size": 42.0 }`) }))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(created, same); diff != "" {
		t.Errorf("a change that changes nothing (-before +after):\n%s", diff)
	}

	want := product.Product{
		ID: created.ID, Status: product.Archived, Version: 2, CreatedAt: created.CreatedAt,
		Content: product.Content{SKU: "B", Name: "b", PriceMinor: 1, Currency: "JPY", Prices: map[string]int64{}, Attributes: json.RawMessage(`{}`)},
	}
	changed, err := s.Update(command(t), project, created.ID, edit(func(p *product.Product) { p.Content, p.Status = want.Content, want.Status }))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, changed, byMeaning, cmpopts.IgnoreFields(product.Product{}, "UpdatedAt")); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if !changed.UpdatedAt.After(created.UpdatedAt) {
		t.Errorf("changed at %s, created at %s", changed.UpdatedAt, created.UpdatedAt)
	}

	broken := errors.New("no")
	refuse := func(product.Product) (product.Product, error) { return product.Product{}, broken }
	if _, err := s.Update(command(t), project, created.ID, refuse); !errors.Is(err, broken) {
		t.Errorf("a refused change: %v", err)
	}
	if _, err := s.Update(command(t), project, created.ID, edit(func(p *product.Product) { p.SKU = "TAKEN" })); errs.CodeOf(err) != "sku_taken" {
		t.Errorf("the SKU of another: %v, want sku_taken", err)
	}
	if _, err := s.Update(command(t), project, uuid.New(), refuse); !errs.Is(err, errs.NotFound) {
		t.Errorf("an unknown id: %v, want not found", err)
	}
	if found, err := s.Find(command(t), project, created.ID); err != nil || !cmp.Equal(changed, found) {
		t.Errorf("after refused changes: %+v, %v", found, err)
	}
}

func TestConcurrentUpdatesAreAllKept(t *testing.T) {
	t.Parallel()
	const writers = 20
	s := newStore(t)
	created := create(t, s, content("A"))
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			patch := product.Patch{Attributes: json.RawMessage(fmt.Sprintf(`{"writer %d":true}`, i))}
			if _, err := s.Update(command(t), project, created.ID, patch.Apply); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	p, err := s.Find(command(t), project, created.ID)
	if err != nil {
		t.Fatal(err)
	}
	var attributes map[string]any
	if err := json.Unmarshal(p.Attributes, &attributes); err != nil {
		t.Fatal(err)
	}
	if len(attributes) != writers+1 || p.Version != writers+1 {
		t.Errorf("after %d changes: version %d, attributes %s", writers, p.Version, p.Attributes)
	}
}
