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
	shortest := product.Content{SKU: "A", Name: "a", PriceMinor: 1, Currency: "EUR"}
	tests := map[string]struct {
		raw  string
		want product.Content
		code string
	}{
		"shortest": {raw: `{"sku":"A","name":"a","price_minor":1,"currency":"EUR"}`, want: shortest},
		"everything": {
			raw: `{"sku":"A","name":"a","description":"b","category":"c","price_minor":0,"currency":"EUR","prices":{"JPY":2},"attributes":{"d":[null]}}`,
			want: product.Content{
				SKU: "A", Name: "a", Description: "b", Category: "c", Currency: "EUR", Prices: map[string]int64{"JPY": 2},
				Attributes: json.RawMessage(`{"d":[null]}`),
			},
		},
		"no object":       {raw: `[]`, code: "wrong_type"},
		"null":            {raw: `null`, code: "wrong_type"},
		"price missing":   {raw: `{"sku":"A","name":"a","currency":"EUR"}`, code: "required"},
		"unknown member":  {raw: `{"sku":"A","name":"a","price_minor":1,"currency":"EUR","id":"x"}`, code: "unknown_field"},
		"names have case": {raw: `{"sku":"A","name":"a","price_minor":1,"currency":"EUR","Category":"x"}`, code: "unknown_field"},
		"null name":       {raw: `{"sku":"A","name":null,"price_minor":1,"currency":"EUR"}`, code: "wrong_type"},
		"null is absent": {
			raw:  `{"sku":"A","name":"a","price_minor":1,"currency":"EUR","attributes":null,"prices":null,"category":null,"description":null}`,
			want: product.Content{SKU: "A", Name: "a", PriceMinor: 1, Currency: "EUR"},
		},
		"null of no member":  {raw: `{"sku":"A","name":"a","price_minor":1,"currency":"EUR","colour":null}`, code: "unknown_field"},
		"half an emoji":      {raw: `{"sku":"A","name":"Hoodie \ud83d","price_minor":1,"currency":"EUR"}`, code: "malformed_json"},
		"a member twice":     {raw: `{"sku":"A","sku":"B","name":"a","price_minor":1,"currency":"EUR"}`, code: "duplicate_field"},
		"price is a text":    {raw: `{"sku":"A","name":"a","price_minor":"1","currency":"EUR"}`, code: "wrong_type"},
		"price is no int":    {raw: `{"sku":"A","name":"a","price_minor":1.5,"currency":"EUR"}`, code: "wrong_type"},
		"price is no int64":  {raw: `{"sku":"A","name":"a","price_minor":9223372036854775808,"currency":"EUR"}`, code: "wrong_type"},
		"price is no number": {raw: `{"sku":"A","name":"a","price_minor":1,"currency":"EUR","prices":{"JPY":"2","USD":1}}`, code: "wrong_type"},
		"prices are a list":  {raw: `{"sku":"A","name":"a","price_minor":1,"currency":"EUR","prices":[1]}`, code: "wrong_type"},
		"category is number": {raw: `{"sku":"A","name":"a","price_minor":1,"currency":"EUR","category":1}`, code: "wrong_type"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseItem(json.RawMessage(test.raw))
			if test.code != "" {
				if !errs.Is(err, errs.Invalid) || errs.CodeOf(err) != test.code {
					t.Fatalf("gives %+v, %v; want %s", got, err, test.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("content (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzParseItem checks that whatever an item is, it becomes a product's content or the fault of its sender.
func FuzzParseItem(f *testing.F) {
	f.Add(`{"sku":"A","name":"a","price_minor":1,"currency":"EUR","attributes":{"b":[1e5,null]}}`)
	f.Add(`{"sku":"A","name":"a\u0000","price_minor":-1,"currency":"EUR"}`)
	f.Add(`[null]`)
	f.Fuzz(func(t *testing.T, raw string) {
		content, err := parseItem(json.RawMessage(raw))
		if err == nil {
			content, err = content.Validate()
		}
		switch {
		case err != nil && !errs.Is(err, errs.Invalid):
			t.Fatalf("%s: %v", raw, err)
		case err == nil && !json.Valid(content.Attributes):
			t.Fatalf("%s: attributes %s", raw, content.Attributes)
		}
	})
}
