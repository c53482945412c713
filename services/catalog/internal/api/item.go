package api

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/openapi/strictjson"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// required are the members that every product must have.
var required = []string{"sku", "name", "price_minor", "currency"}

// optional are the other members of a product.
var optional = []string{"description", "category", "prices", "attributes"}

// parseItem decodes one product of a bulk request. The contract does not validate the items, because one bad item must not
// fail the request. Package product checks the values.
func parseItem(raw json.RawMessage) (product.Content, error) {
	value, err := strictjson.Parse(raw)
	if refusal, ok := errors.AsType[*errs.Error](err); ok {
		code := refusal.Code
		if len(refusal.Fields) > 0 {
			code = refusal.Fields[0].Code
		}
		return product.Content{}, itemError(code, strings.Replace(refusal.Detail, "The body", "The product", 1))
	}
	members, ok := value.(map[string]any)
	if !ok {
		return product.Content{}, itemError("wrong_type", "The product must be a JSON object.")
	}
	for _, name := range required {
		if _, ok := members[name]; !ok {
			return product.Content{}, itemError("required", name+" is missing.")
		}
	}
	var c product.Content
	for _, name := range slices.Sorted(maps.Keys(members)) { // sorted, so that the same item always gets the same answer
		if members[name] == nil && slices.Contains(optional, name) {
			continue // null means absent
		}
		known, ok := assign(&c, name, members[name])
		if !known {
			return product.Content{}, itemError("unknown_field", "The product has a member that products do not have.")
		}
		if !ok {
			return product.Content{}, itemError("wrong_type", name+" has the wrong type.")
		}
	}
	return c, nil
}

// assign sets the member of c with this name. It reports whether there is such a member, and whether value has its type.
func assign(c *product.Content, name string, value any) (known, ok bool) {
	switch name {
	case "sku":
		c.SKU, ok = value.(string)
	case "name":
		c.Name, ok = value.(string)
	case "description":
		c.Description, ok = value.(string)
	case "category":
		c.Category, ok = value.(string)
	case "currency":
		c.Currency, ok = value.(string)
	case "price_minor":
		c.PriceMinor, ok = integer(value)
	case "prices":
		c.Prices, ok = integers(value)
	case "attributes":
		var err error
		c.Attributes, err = json.Marshal(value)
		ok = err == nil && value != nil
	default:
		return false, false
	}
	return true, ok
}

func integer(value any) (int64, bool) {
	literal, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	n, err := literal.Int64()
	return n, err == nil
}

func integers(value any) (map[string]int64, bool) {
	object, ok := value.(map[string]any)
	all := make(map[string]int64, len(object))
	for name, member := range object {
		n, isInteger := integer(member)
		all[name], ok = n, ok && isInteger
	}
	return all, ok
}

func itemError(code, detail string) error { return errs.New(errs.Invalid, code, detail) }
