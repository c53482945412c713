package api

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// required are the members that every product must have.
var required = []string{"sku", "name", "price_minor", "currency"}

// parseItem decodes one product of a bulk request. The contract does not validate the items, because one bad item must not
// fail the request. Package product checks the values.
func parseItem(raw json.RawMessage) (product.Content, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return product.Content{}, itemError("wrong_type", "The product must be a JSON object.")
	}
	for _, name := range required {
		if _, ok := members[name]; !ok {
			return product.Content{}, itemError("required", name+" is missing.")
		}
	}
	var c product.Content
	targets := map[string]any{
		"sku": &c.SKU, "name": &c.Name, "description": &c.Description, "category": &c.Category,
		"price_minor": &c.PriceMinor, "currency": &c.Currency, "attributes": &c.Attributes,
	}
	for _, name := range slices.Sorted(maps.Keys(members)) { // sorted, so that an item with several problems always gets the same answer
		target, ok := targets[name]
		if !ok {
			return product.Content{}, itemError("unknown_field", "The product has an unknown member.")
		}
		if value := members[name]; string(value) == "null" || json.Unmarshal(value, target) != nil {
			return product.Content{}, itemError("wrong_type", name+" has the wrong type.")
		}
	}
	return c, nil
}

func itemError(code, detail string) error { return errs.New(errs.Invalid, code, detail) }
