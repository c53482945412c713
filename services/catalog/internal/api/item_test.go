package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

func TestParseItem(t *testing.T) {
	t.Parallel()
	const full = `{"sku":"A","name":"a","price_minor":1,"currency":"EUR"`
	shortest := product.Patch{Name: new("a"), PriceMinor: new(int64(1)), Currency: new("EUR"), Whole: true}
	name := `{"` + strings.Repeat("n", 200) + `":`
	deep := `{"sku":"A","attributes":` + strings.Repeat(name, 9) + `{"a":1,"a":2}` + strings.Repeat("}", 10)
	tests := map[string]struct {
		raw  string
		want product.Patch
		code string
	}{
		"new product": {raw: full + `}`, want: shortest},
		"price only":  {raw: `{"sku":"A","price_minor":1}`, want: product.Patch{PriceMinor: new(int64(1)), Whole: true}},
		"status only": {raw: `{"sku":"A","status":"active"}`, want: product.Patch{Status: new(product.Active), Whole: true}},
		"nothing":     {raw: `{"sku":"A"}`, want: product.Patch{Whole: true}},
		"everything": {
			raw: `{"sku":"A","name":"a","description":"b","category":"c","price_minor":0,"currency":"EUR","prices":{"JPY":2},
				"status":"archived","attributes":{"d":[null]}}`,
			want: product.Patch{
				Name: new("a"), Description: new("b"), Category: new("c"), PriceMinor: new(int64(0)), Currency: new("EUR"),
				Prices: map[string]*int64{"JPY": new(int64(2))}, Status: new(product.Archived),
				Attributes: json.RawMessage(`{"d":[null]}`), Whole: true,
			},
		},
		"null is absent": {
			raw: `{"sku":"A","name":null,"price_minor":null,"currency":null,"attributes":null,"prices":null,"category":null,
				"description":null,"status":null}`,
			want: product.Patch{Whole: true},
		},
		"no object":           {raw: `[]`, code: "wrong_type"},
		"null":                {raw: `null`, code: "wrong_type"},
		"no JSON":             {raw: `{"sku":"A",}`, code: "malformed_json"},
		"two objects":         {raw: full + `}{}`, code: "malformed_json"},
		"no sku":              {raw: `{"name":"a","price_minor":1,"currency":"EUR"}`, code: "/sku required"},
		"sku is null":         {raw: `{"sku":null}`, code: "/sku required"},
		"sku is a number":     {raw: `{"sku":1}`, code: "/sku wrong_type"},
		"unknown member":      {raw: full + `,"id":"x"}`, code: "/id unknown_field"},
		"names have case":     {raw: full + `,"Category":"x"}`, code: "/Category unknown_field"},
		"null of no member":   {raw: full + `,"colour":null}`, code: "/colour unknown_field"},
		"half an emoji":       {raw: `{"sku":"A","name":"Hoodie \ud83d"}`, code: "malformed_json"},
		"a member twice":      {raw: `{"sku":"A","sku":"B"}`, code: "/sku duplicate_field"},
		"price is a text":     {raw: `{"sku":"A","price_minor":"1"}`, code: "/price_minor wrong_type"},
		"price is no int":     {raw: `{"sku":"A","price_minor":1.5}`, code: "/price_minor wrong_type"},
		"price is no int64":   {raw: `{"sku":"A","price_minor":9223372036854775808}`, code: "/price_minor wrong_type"},
		"a price is a text":   {raw: `{"sku":"A","prices":{"JPY":"2","USD":1}}`, code: "/prices wrong_type"},
		"a price is null":     {raw: `{"sku":"A","prices":{"JPY":2,"USD":null}}`, code: "/prices wrong_type"},
		"prices are a list":   {raw: `{"sku":"A","prices":[1]}`, code: "/prices wrong_type"},
		"category is number":  {raw: `{"sku":"A","category":1}`, code: "/category wrong_type"},
		"all problems":        {raw: `{"name":1,"a/b~":2,"currency":[]}`, code: "/sku required, /a~1b~0 unknown_field, /currency wrong_type, /name wrong_type"},
		"a long name":         {raw: `{"sku":"A","` + strings.Repeat("n", 100) + `":1}`, code: "/" + strings.Repeat("n", 64) + " unknown_field"},
		"deep in attributes":  {raw: deep, code: ("/attributes" + strings.Repeat("/"+strings.Repeat("n", 200), 9))[:1024] + " duplicate_field"},
		"status is a boolean": {raw: `{"sku":"A","status":true}`, code: "/status wrong_type"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sku, got, err := parseItem(json.RawMessage(test.raw))
			if test.code != "" {
				var bulk product.Bulk
				bulk.Refuse(0, err)
				var found []string
				for _, r := range bulk.Refusals {
					found = append(found, strings.TrimSpace(r.Pointer+" "+r.Code))
				}
				if got := strings.Join(found, ", "); !errs.Is(err, errs.Invalid) || got != test.code {
					t.Fatalf("gives %q, %v; want %q", got, err, test.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); sku != "A" || diff != "" {
				t.Errorf("sku %s, patch (-want +got):\n%s", sku, diff)
			}
		})
	}
}

// TestParseItemBoundsProblems reads an item with more problems than an answer names.
func TestParseItemBoundsProblems(t *testing.T) {
	t.Parallel()
	var members []string
	for i := range 3 * maxProblems {
		members = append(members, fmt.Sprintf(`"unknown-%d":1`, i))
	}
	_, _, err := parseItem(json.RawMessage("{" + strings.Join(members, ",") + "}"))
	if e, ok := errors.AsType[*errs.Error](err); !ok || len(e.Fields) != maxProblems {
		t.Errorf("got %v", err)
	}
}

// FuzzParseItem checks that whatever an item is, it becomes a product or the fault of its sender.
func FuzzParseItem(f *testing.F) {
	f.Add(`{"sku":"A","name":"a","price_minor":1,"currency":"EUR","attributes":{"b":[1e5,null]}}`)
	f.Add(`{"sku":"A","name":"a\u0000","price_minor":-1,"currency":"EUR"}`)
	f.Add(`[null]`)
	f.Fuzz(func(t *testing.T, raw string) {
		sku, patch, err := parseItem(json.RawMessage(raw))
		var next product.Product
		if err == nil {
			next, err = product.Item{SKU: sku, Patch: patch}.Next(nil)
		}
		switch {
		case err != nil && !errs.Is(err, errs.Invalid):
			t.Fatalf("%s: %v", raw, err)
		case err == nil && !json.Valid(next.Attributes):
			t.Fatalf("%s: attributes %s", raw, next.Attributes)
		}
	})
}
