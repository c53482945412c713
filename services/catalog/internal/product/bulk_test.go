package product_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

func TestBulkKeepsTheGoodItems(t *testing.T) {
	t.Parallel()
	var bulk product.Bulk
	bulk.Add(0, "A", product.Patch{})
	bulk.Add(1, "not\na sku", product.Patch{})
	bulk.Add(2, " A ", product.Patch{})
	bulk.Add(3, "B\n", product.Patch{})
	bulk.Add(4, "", product.Patch{})
	bulk.Add(5, "a", product.Patch{})
	bulk.Refuse(0, product.SKUTaken("A"))

	if diff := cmp.Diff([]product.Item{{Index: 0, SKU: "A"}, {Index: 3, SKU: "B"}, {Index: 5, SKU: "a"}}, bulk.Items); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	want := []product.Refusal{
		{Index: 0, Field: errs.Field{Code: "sku_taken", Detail: "There is already a product with the SKU A."}},
		{Index: 1, Field: errs.Field{
			Pointer: "/sku", Code: "invalid_value",
			Detail: "sku must have printable characters only, without line breaks, control and invisible formatting characters.",
		}},
		{Index: 2, Field: errs.Field{Pointer: "/sku", Code: "duplicate_sku", Detail: "An earlier item has the SKU A."}},
		{Index: 4, Field: errs.Field{Pointer: "/sku", Code: "too_short", Detail: "sku must not be empty."}},
	}
	if diff := cmp.Diff(want, bulk.Refusals); diff != "" {
		t.Errorf("refusals (-want +got):\n%s", diff)
	}
}

// TestBulkBoundsProblems refuses items with many problems: from maxProblems on, each tells its first one.
func TestBulkBoundsProblems(t *testing.T) {
	t.Parallel()
	var bulk product.Bulk
	many := errs.New(errs.Invalid, "validation_failed", "Wrong.", slices.Repeat([]errs.Field{{Code: "too_long"}}, 20)...)
	for i := range 1000 {
		bulk.Refuse(i, many)
	}
	if n := len(bulk.Refusals); n != 100*20+900 || bulk.Refusals[n-1].Index != 999 {
		t.Errorf("%d problems, the last one of item %d", n, bulk.Refusals[n-1].Index)
	}
}

// TestNextOfANewProduct checks what the item of a new SKU needs.
func TestNextOfANewProduct(t *testing.T) {
	t.Parallel()
	full := product.Patch{Name: new("Boot"), PriceMinor: new(int64(1)), Currency: new("EUR")}
	without := func(edit func(p *product.Patch)) product.Patch {
		patch := full
		edit(&patch)
		return patch
	}
	for name, test := range map[string]struct {
		patch product.Patch
		code  string
	}{
		"shortest":    {full, ""},
		"archived":    {without(func(p *product.Patch) { p.Status = new(product.Archived) }), ""},
		"no name":     {without(func(p *product.Patch) { p.Name = nil }), "required"},
		"no price":    {without(func(p *product.Patch) { p.PriceMinor = nil }), "required"},
		"no currency": {without(func(p *product.Patch) { p.Currency = nil }), "required"},
		"blank name":  {without(func(p *product.Patch) { p.Name = new(" ") }), "too_short"},
		"nothing":     {product.Patch{}, "required required required"},
		"odd status":  {without(func(p *product.Patch) { p.Status = new(product.Status("gone")) }), "invalid_enum"},
	} {
		next, err := product.Item{SKU: "A", Patch: test.patch}.Next(nil)
		var bulk product.Bulk
		if err != nil {
			bulk.Refuse(0, err)
		}
		if test.code != "" {
			var codes []string
			for _, r := range bulk.Refusals {
				codes = append(codes, r.Code)
			}
			if strings.Join(codes, " ") != test.code {
				t.Errorf("%s: %+v, want %s", name, bulk.Refusals, test.code)
			}
			continue
		}
		want := product.Product{Status: product.Active, Content: product.Content{
			SKU: "A", Name: "Boot", PriceMinor: 1, Currency: "EUR", Prices: map[string]int64{}, Attributes: json.RawMessage(`{}`),
		}}
		if test.patch.Status != nil {
			want.Status = *test.patch.Status
		}
		if diff := cmp.Diff(want, next); err != nil || diff != "" {
			t.Errorf("%s: %v, product (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	stored := product.Product{Content: shoe(), Status: product.Active, Version: 3}
	stored.Attributes = json.RawMessage(`{"a": 1000, "bb": [0.010, {"c": null}], "z": "1"}`)
	for attributes, same := range map[string]bool{
		`{"bb":[1e-2,{"c":null}],"a":1E3,"z":"1"}`:  true,
		`{"a":1000,"bb":[0.01,{"c":null}],"z":1}`:   false,
		`{"a":1000,"bb":[0.01,{}],"z":"1"}`:         false,
		`{"a":1001,"bb":[0.01,{"c":null}],"z":"1"}`: false,
		`{"a":1000,"bb":[{"c":null},0.01],"z":"1"}`: false,
		`{}`: false,
	} {
		other := stored
		other.Attributes = json.RawMessage(attributes)
		if got := stored.Same(other); got != same {
			t.Errorf("%s: same is %t", attributes, got)
		}
	}
	for name, edit := range map[string]func(p *product.Product){
		"sku": func(p *product.Product) { p.SKU = "B" }, "name": func(p *product.Product) { p.Name = "B" },
		"description": func(p *product.Product) { p.Description = "B" }, "category": func(p *product.Product) { p.Category = "B" },
		"price": func(p *product.Product) { p.PriceMinor++ }, "currency": func(p *product.Product) { p.Currency = "JPY" },
		"prices": func(p *product.Product) { p.Prices = nil }, "status": func(p *product.Product) { p.Status = product.Archived },
		"placeholder": func(p *product.Product) { p.Placeholder = true },
	} {
		other := stored
		if edit(&other); stored.Same(other) {
			t.Errorf("another %s is the same product", name)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	version := func(status product.Status, version int64) product.Product {
		return product.Product{Status: status, Version: version}
	}
	active, archived := version(product.Active, 1), version(product.Archived, 1)
	var bulk product.Bulk
	bulk.Count(nil, active)
	bulk.Count(nil, archived)
	bulk.Count(&active, active)
	bulk.Count(&archived, archived)
	bulk.Count(&active, version(product.Active, 2))
	bulk.Count(&active, version(product.Archived, 3))
	bulk.Count(&archived, version(product.Archived, 4))
	bulk.Count(&archived, version(product.Active, 5))
	want := product.Bulk{
		Created: 2, Unchanged: 2, Updated: 3, Reactivated: 1, Archived: 4,
		Changed: []product.Product{version(product.Active, 2), version(product.Archived, 3), version(product.Archived, 4), version(product.Active, 5)},
	}
	if diff := cmp.Diff(want, bulk, cmpopts.IgnoreUnexported(product.Bulk{})); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}
