package api

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

func TestParseItem(t *testing.T) {
	t.Parallel()
	const full = `{"sku":"A","name":"a","price_minor":1,"currency":"EUR"`
	shortest := product.Patch{Name: new("a"), PriceMinor: new(int64(1)), Currency: new("EUR"), Whole: true}
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
		"no sku":              {raw: `{"name":"a","price_minor":1,"currency":"EUR"}`, code: "required"},
		"sku is null":         {raw: `{"sku":null}`, code: "required"},
		"sku is a number":     {raw: `{"sku":1}`, code: "wrong_type"},
		"unknown member":      {raw: full + `,"id":"x"}`, code: "unknown_field"},
		"names have case":     {raw: full + `,"Category":"x"}`, code: "unknown_field"},
		"null of no member":   {raw: full + `,"colour":null}`, code: "unknown_field"},
		"half an emoji":       {raw: `{"sku":"A","name":"Hoodie \ud83d"}`, code: "malformed_json"},
		"a member twice":      {raw: `{"sku":"A","sku":"B"}`, code: "duplicate_field"},
		"price is a text":     {raw: `{"sku":"A","price_minor":"1"}`, code: "wrong_type"},
		"price is no int":     {raw: `{"sku":"A","price_minor":1.5}`, code: "wrong_type"},
		"price is no int64":   {raw: `{"sku":"A","price_minor":9223372036854775808}`, code: "wrong_type"},
		"a price is a text":   {raw: `{"sku":"A","prices":{"JPY":"2","USD":1}}`, code: "wrong_type"},
		"a price is null":     {raw: `{"sku":"A","prices":{"JPY":2,"USD":null}}`, code: "wrong_type"},
		"prices are a list":   {raw: `{"sku":"A","prices":[1]}`, code: "wrong_type"},
		"category is number":  {raw: `{"sku":"A","category":1}`, code: "wrong_type"},
		"status is a boolean": {raw: `{"sku":"A","status":true}`, code: "wrong_type"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sku, got, err := parseItem(json.RawMessage(test.raw))
			if test.code != "" {
				if !errs.Is(err, errs.Invalid) || errs.CodeOf(err) != test.code {
					t.Fatalf("gives %+v, %v; want %s", got, err, test.code)
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
