package product_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

func TestApply(t *testing.T) {
	t.Parallel()
	before := product.Product{Content: shoe(), Status: product.Archived, Version: 3}
	tests := map[string]struct {
		patch product.Patch
		edit  func(p *product.Product)
		want  []string // the problems
	}{
		"nothing": {product.Patch{}, func(*product.Product) {}, nil},
		"everything": {
			product.Patch{
				SKU: new("NEW"), Name: new("New"), Description: new(""), Category: new("new"), PriceMinor: new(int64(1)),
				Currency: new("KWD"), Prices: map[string]*int64{"USD": nil, "JPY": new(int64(2))}, Status: new(product.Active), Attributes: json.RawMessage(`{"size":null,"width":"D"}`),
			},
			func(p *product.Product) {
				p.Status, p.Content = product.Active, product.Content{
					SKU: "NEW", Name: "New", Category: "new", PriceMinor: 1, Currency: "KWD", Prices: map[string]int64{"JPY": 2},
					Attributes: json.RawMessage(`{"width":"D"}`),
				}
			}, nil,
		},
		"attributes emptied": {
			product.Patch{Attributes: json.RawMessage(`null`)},
			func(p *product.Product) { p.Attributes = json.RawMessage(`{}`) }, nil,
		},
		"whole": {
			product.Patch{Whole: true, Prices: map[string]*int64{"JPY": new(int64(2))}, Attributes: json.RawMessage(`{"width":null}`)},
			func(p *product.Product) {
				p.Prices, p.Attributes = map[string]int64{"JPY": 2}, json.RawMessage(`{"width":null}`)
			}, nil,
		},
		"whole without both": {product.Patch{Whole: true, Name: new("New")}, func(p *product.Product) { p.Name = "New" }, nil},
		"odd status":         {product.Patch{Status: new(product.Status("gone"))}, nil, []string{"/status invalid_enum"}},
		"one price more": {
			product.Patch{Prices: map[string]*int64{"JPY": new(int64(2))}},
			func(p *product.Product) { p.Prices = map[string]int64{"USD": 13_900, "JPY": 2} }, nil,
		},
		"prices emptied": {
			product.Patch{NoPrices: true},
			func(p *product.Product) { p.Prices = map[string]int64{} }, nil,
		},
		"currency without a price": {product.Patch{Currency: new("JPY")}, nil, []string{"/price_minor price_required"}},
		"two prices in a currency": {product.Patch{Currency: new("USD"), PriceMinor: new(int64(1))}, nil, []string{"/prices/USD duplicate_currency"}},
		"currency of a further price": {
			product.Patch{Currency: new("USD"), PriceMinor: new(int64(13_900)), Prices: map[string]*int64{"USD": nil}},
			func(p *product.Product) { p.Currency, p.PriceMinor, p.Prices = "USD", 13_900, map[string]int64{} }, nil,
		},
		"result is not valid":   {product.Patch{Name: new(""), SKU: new("\n")}, nil, []string{"/sku too_short", "/name too_short"}},
		"attributes are a list": {product.Patch{Attributes: json.RawMessage(`[1]`)}, nil, []string{"/attributes wrong_type"}},
		"attributes too deep": {
			product.Patch{Attributes: json.RawMessage(`{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{}}}}}}}}}`)},
			nil, []string{"/attributes invalid_value"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after, err := test.patch.Apply(before)
			if diff := cmp.Diff(test.want, fields(t, err)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			var want product.Product
			if test.edit != nil {
				want = before
				test.edit(&want)
			}
			if diff := cmp.Diff(want, after); diff != "" {
				t.Errorf("product (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMergePatch holds the merge of attributes against the examples of RFC 7396, appendix A, whose outermost values
// are objects.
func TestMergePatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ target, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		if got := merge(t, test.target, test.patch); got != test.want {
			t.Errorf("%s patched with %s is %s, want %s", test.target, test.patch, got, test.want)
		}
	}
}

// merge returns the attributes target after patch, or "" where the outcome is refused.
func merge(t *testing.T, target, patch string) string {
	t.Helper()
	p := product.Product{Content: shoe()}
	p.Attributes = json.RawMessage(target)
	p, err := product.Patch{Attributes: json.RawMessage(patch)}.Apply(p)
	if err != nil {
		fields(t, err) // fails for anything but an invalid product
		return ""
	}
	return string(p.Attributes)
}

// FuzzMergePatch checks what holds for every merge patch: it takes effect once, its scalar members are in the result,
// its nulls are not.
func FuzzMergePatch(f *testing.F) {
	f.Add(`{"a":"b","c":{"d":"e","f":"g"}}`, `{"a":"z","c":{"f":null}}`)
	f.Add(`{"a":[1,{"b":2}]}`, `{"a":{"b":null,"c":{"d":null}}}`)
	f.Add(`{}`, `null`)
	f.Add(`{"a":1e5}`, `{"a":"\ud800","b":-0.10}`)
	f.Fuzz(func(t *testing.T, target, patch string) {
		if !isObject(target) {
			return // what is stored always is one
		}
		once := merge(t, target, patch)
		if once == "" {
			return
		}
		if twice := merge(t, once, patch); twice != once {
			t.Fatalf("%s patched with %s is %s, and %s when patched again", target, patch, once, twice)
		}
		var changes, result map[string]any
		if json.Unmarshal([]byte(patch), &changes) != nil || json.Unmarshal([]byte(once), &result) != nil {
			return // an absent patch; a number that is no float64
		}
		for name, change := range changes {
			got, present := result[name]
			switch change.(type) {
			case nil:
				if present {
					t.Fatalf("%s patched with %s still has %q", target, patch, name)
				}
			case map[string]any:
			default:
				if !reflect.DeepEqual(got, change) {
					t.Fatalf("%s patched with %s has %v in %q", target, patch, got, name)
				}
			}
		}
	})
}

func isObject(text string) bool {
	var object map[string]any
	return json.Unmarshal([]byte(text), &object) == nil && object != nil
}
