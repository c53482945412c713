package product_test

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

func shoe() product.Content {
	return product.Content{
		SKU: "SHOE-42", Name: "Trail runner 42", Description: "Light.\nFor rough ground.", Category: "shoes",
		PriceMinor: 12_900, Currency: "EUR", Prices: map[string]int64{"USD": 13_900}, Attributes: json.RawMessage(`{"size":42}`),
	}
}

// fields returns what err says about the fields of a request, as "pointer code".
func fields(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*errs.Error](err)
	if !ok || e.Kind != errs.Invalid {
		t.Fatalf("the error is %v, want an invalid one", err)
	}
	var list []string
	for _, field := range e.Fields {
		list = append(list, field.Pointer+" "+field.Code)
	}
	return list
}

func TestValidate(t *testing.T) {
	t.Parallel()
	nested := func(depth int) json.RawMessage {
		return json.RawMessage(strings.Repeat(`{"a":`, depth-1) + "{}" + strings.Repeat("}", depth-1))
	}
	members := func(n int) json.RawMessage {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`"a%d":%d`, i, i))
		}
		return json.RawMessage("{" + strings.Join(list, ",") + "}")
	}
	text := func(bytes int) json.RawMessage {
		return json.RawMessage(`{"a":"` + strings.Repeat("<", bytes-len(`{"a":""}`)) + `"}`)
	}
	manyPrices := func(n int) map[string]int64 {
		prices := make(map[string]int64)
		for i := range n {
			prices[fmt.Sprintf("%03d", i)] = 1
		}
		return prices
	}
	tests := map[string]struct {
		edit func(c *product.Content)
		want []string
	}{
		"as it should be":         {func(*product.Content) {}, nil},
		"longest values":          {func(c *product.Content) { c.SKU, c.Name = strings.Repeat("ö", 100), strings.Repeat("ö", 200) }, nil},
		"no texts":                {func(c *product.Content) { c.Description, c.Category = "", "" }, nil},
		"free":                    {func(c *product.Content) { c.PriceMinor = 0 }, nil},
		"no sku":                  {func(c *product.Content) { c.SKU = "" }, []string{"/sku too_short"}},
		"long sku":                {func(c *product.Content) { c.SKU = strings.Repeat("ö", 101) }, []string{"/sku too_long"}},
		"blank sku":               {func(c *product.Content) { c.SKU = " " }, []string{"/sku too_short"}},
		"sku with a newline":      {func(c *product.Content) { c.SKU = "A\nB" }, []string{"/sku invalid_value"}},
		"sku that paths lose":     {func(c *product.Content) { c.SKU = ".." }, []string{"/sku invalid_value"}},
		"blank name":              {func(c *product.Content) { c.Name = " \t" }, []string{"/name too_short", "/name invalid_value"}},
		"long name":               {func(c *product.Content) { c.Name = strings.Repeat("ö", 201) }, []string{"/name too_long"}},
		"NUL in the name":         {func(c *product.Content) { c.Name = "a\x00" }, []string{"/name invalid_value"}},
		"name that is not UTF-8":  {func(c *product.Content) { c.Name = "a\xff" }, []string{"/name invalid_value"}},
		"long description":        {func(c *product.Content) { c.Description = strings.Repeat("x", 4001) }, []string{"/description too_long"}},
		"bell in the description": {func(c *product.Content) { c.Description = "\a" }, []string{"/description invalid_value"}},
		"long category":           {func(c *product.Content) { c.Category = strings.Repeat("x", 101) }, []string{"/category too_long"}},
		"newline in the category": {func(c *product.Content) { c.Category = "a\nb" }, []string{"/category invalid_value"}},
		"negative price":          {func(c *product.Content) { c.PriceMinor = -1 }, []string{"/price_minor too_small"}},
		"price too high":          {func(c *product.Content) { c.PriceMinor = 1e12 + 1 }, []string{"/price_minor too_large"}},
		"small currency":          {func(c *product.Content) { c.Currency = "eur" }, []string{"/currency unknown_currency"}},
		"no such currency":        {func(c *product.Content) { c.Currency = "ZZZ" }, []string{"/currency unknown_currency"}},
		"dinars and yen":          {func(c *product.Content) { c.Currency, c.Prices = "KWD", map[string]int64{"JPY": 0} }, nil},
		"no prices":               {func(c *product.Content) { c.Prices = map[string]int64{} }, nil},
		"price in no currency":    {func(c *product.Content) { c.Prices = map[string]int64{"usd": 1, "": 1} }, []string{"/prices unknown_currency", "/prices unknown_currency"}},
		"two prices in euros":     {func(c *product.Content) { c.Prices = map[string]int64{"EUR": 12_900} }, []string{"/prices/EUR duplicate_currency"}},
		"prices out of range":     {func(c *product.Content) { c.Prices = map[string]int64{"USD": -1, "JPY": 1e12 + 1} }, []string{"/prices/JPY too_large", "/prices/USD too_small"}},
		"too many prices":         {func(c *product.Content) { c.Prices = manyPrices(51) }, []string{"/prices too_long"}},
		"deepest attributes":      {func(c *product.Content) { c.Attributes = nested(8) }, nil},
		"attributes too deep":     {func(c *product.Content) { c.Attributes = nested(9) }, []string{"/attributes invalid_value"}},
		"arrays too deep": {func(c *product.Content) {
			c.Attributes = json.RawMessage(`{"a":` + strings.Repeat("[", 8) + strings.Repeat("]", 8) + "}")
		}, []string{"/attributes invalid_value"}},
		"most attributes":       {func(c *product.Content) { c.Attributes = members(100) }, nil},
		"too many attributes":   {func(c *product.Content) { c.Attributes = members(101) }, []string{"/attributes too_long"}},
		"largest attributes":    {func(c *product.Content) { c.Attributes = text(16 << 10) }, nil},
		"attributes too large":  {func(c *product.Content) { c.Attributes = text(16<<10 + 1) }, []string{"/attributes too_large"}},
		"attributes are a list": {func(c *product.Content) { c.Attributes = json.RawMessage(`[]`) }, []string{"/attributes wrong_type"}},
		"attributes are null":   {func(c *product.Content) { c.Attributes = json.RawMessage(`null`) }, []string{"/attributes wrong_type"}},
		"attributes and more":   {func(c *product.Content) { c.Attributes = json.RawMessage(`{} {}`) }, []string{"/attributes wrong_type"}},
		"NUL in an attribute":   {func(c *product.Content) { c.Attributes = json.RawMessage(`{"a":["\u0000"]}`) }, []string{"/attributes invalid_value"}},
		"NUL in a member name":  {func(c *product.Content) { c.Attributes = json.RawMessage(`{"\u0000":1}`) }, []string{"/attributes invalid_value"}},
		"large number":          {func(c *product.Content) { c.Attributes = json.RawMessage(`{"a":-1.5e20}`) }, nil},
		"number that explodes":  {func(c *product.Content) { c.Attributes = json.RawMessage(`{"a":1e21}`) }, []string{"/attributes invalid_value"}},
		"number that implodes":  {func(c *product.Content) { c.Attributes = json.RawMessage(`{"a":[1E-21]}`) }, []string{"/attributes invalid_value"}},
		"exponent too long":     {func(c *product.Content) { c.Attributes = json.RawMessage(`{"a":0e99999999999999999999}`) }, []string{"/attributes invalid_value"}},
		"everything is wrong": {
			func(c *product.Content) { *c = product.Content{PriceMinor: -1, Attributes: json.RawMessage(`1`)} },
			[]string{"/sku too_short", "/name too_short", "/price_minor too_small", "/currency unknown_currency", "/attributes wrong_type"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := shoe()
			test.edit(&content)
			_, err := content.Validate()
			if diff := cmp.Diff(test.want, fields(t, err)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestValidateNormalizesSKUs checks that SKUs that look the same become the same, and no others.
func TestValidateNormalizesSKUs(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"BANK CHARGES": "BANK CHARGES", "A#12": "A#12", `9/16" nut`: `9/16" nut`, "商品-1": "商品-1", "85123a": "85123a", "85123A": "85123A",
		" A\t": "A", "gro\u0308ße-42": "größe-42",
	} {
		content := shoe()
		content.SKU = given
		content, err := content.Validate()
		if err != nil || content.SKU != want {
			t.Errorf("%q becomes %q, %v; want %q", given, content.SKU, err, want)
		}
	}
}

func TestValidateMakesAttributesCanonical(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		``:                                 `{}`,
		`{ "b" : 1.50, "a" : "<\u00e4>"}`:  `{"a":"<ä>","b":1.50}`,
		`{"a":1,"a":12345678901234567890}`: `{"a":12345678901234567890}`,
	} {
		content := shoe()
		content.Attributes = json.RawMessage(given)
		content, err := content.Validate()
		if err != nil || string(content.Attributes) != want {
			t.Errorf("%s becomes %s, %v; want %s", given, content.Attributes, err, want)
		}
	}
}
