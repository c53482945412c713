package postgres_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// TestProjectsNeverMeet gives two projects the same SKUs, and checks that each statement reads and writes one of them only.
func TestProjectsNeverMeet(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	second := secondProject(t, db)
	s := postgres.New(db.Pool("hp_catalog"))
	ours := create(t, s, content("A"))
	if _, err := s.Create(command(t), second, content("A")); err != nil {
		t.Fatalf("the same SKU in another project: %v", err)
	}

	for name, id := range map[string]func() error{
		"found": func() error { _, err := s.Find(command(t), second, ours.ID); return err },
		"updated": func() error {
			_, err := s.Update(command(t), second, ours.ID, product.Patch{Name: new("theirs")}.Apply)
			return err
		},
	} {
		if err := id(); !errs.Is(err, errs.NotFound) {
			t.Errorf("a product of another project is %s: %v", name, err)
		}
	}

	theirs := content("A")
	theirs.Name = "theirs"
	bulk := bulkOf(theirs, content("B"))
	if err := s.Upsert(command(t), second, bulk); err != nil || bulk.Created != 1 || bulk.Updated != 1 {
		t.Fatalf("bulk: created %d, updated %d, %v", bulk.Created, bulk.Updated, err)
	}
	if found, err := s.Find(command(t), project, ours.ID); err != nil || !cmp.Equal(ours, found) {
		t.Errorf("after the writes of the other project: %+v, %v", found, err)
	}
	if got := skus(t, s, product.Filter{Project: project}, 1); !cmp.Equal(got, []string{"A"}) {
		t.Errorf("the first project lists %v", got)
	}
	if got := skus(t, s, product.Filter{Project: second}, 1); !cmp.Equal(got, []string{"B", "A"}) {
		t.Errorf("the second project lists %v", got)
	}
}

// TestDescribedPlaceholders checks which writes end that a product is a placeholder.
func TestDescribedPlaceholders(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := postgres.New(db.Pool("hp_catalog"))
	const insert = `
		INSERT INTO catalog.products (id, project, placeholder, sku, name, price_minor, currency)
		VALUES (gen_random_uuid(), 1, true, $1, $1, 0, 'EUR')`
	for _, sku := range []string{"PATCHED", "BULK"} {
		if _, err := db.Pool("hp_ingest").Exec(command(t), insert, sku); err != nil {
			t.Fatal(err)
		}
	}
	items, _, err := s.List(command(t), product.Page{Filter: product.Filter{Project: project, Query: "PATCHED"}, Limit: 1})
	if err != nil || len(items) != 1 || !items[0].Placeholder {
		t.Fatalf("a placeholder is %+v, %v", items, err)
	}
	for _, step := range []struct {
		patch       product.Patch
		placeholder bool
		version     int64
	}{
		{product.Patch{}, true, 1},
		{product.Patch{SKU: new("RENAMED"), Status: new(product.Archived)}, true, 2},
		{product.Patch{Name: new("PATCHED")}, false, 3}, // the name that it has already
		{product.Patch{Name: new("PATCHED")}, false, 3},
	} {
		p, err := s.Update(command(t), project, items[0].ID, step.patch.Apply)
		if err != nil || p.Placeholder != step.placeholder || p.Version != step.version {
			t.Errorf("after %+v: placeholder %t, version %d, %v", step.patch, p.Placeholder, p.Version, err)
		}
	}

	bulk := bulkOf(product.Content{SKU: "BULK", Name: "BULK", Currency: "EUR", Attributes: json.RawMessage(`{}`)}) // what it has already
	upsert(t, s, bulk)
	if len(bulk.Changed) != 1 || bulk.Changed[0].Placeholder {
		t.Errorf("after a bulk request: %+v", bulk.Changed)
	}
}
