package product

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// Patch is a merge patch (RFC 7396) of a product. Nil members stay as they are. A member that the client clears with null is
// the empty text here.
type Patch struct {
	SKU         *string
	Name        *string
	Description *string
	Category    *string
	PriceMinor  *int64
	Currency    *string           // another one needs a PriceMinor
	Prices      map[string]*int64 // by currency; nil removes one
	NoPrices    bool              // removes the prices in further currencies, before Prices adds some
	Status      *Status
	Attributes  json.RawMessage // a merge patch of its own; the JSON null empties the attributes
	Whole       bool            // Prices and Attributes replace the old ones, instead of being merged into them
}

// describes reports whether the patch says more about a product than its SKU and its status.
func (patch Patch) describes() bool {
	return patch.Name != nil || patch.Description != nil || patch.Category != nil || patch.PriceMinor != nil ||
		patch.Currency != nil || patch.Prices != nil || patch.NoPrices || patch.Attributes != nil
}

// Apply returns p after the patch. The result is valid, but may be equal to p. Before a first patch, p has a SKU and a status.
func (patch Patch) Apply(p Product) (Product, error) {
	if patch.Currency != nil && *patch.Currency != p.Currency && patch.PriceMinor == nil {
		return Product{}, errPriceRequired
	}
	if patch.Status != nil && *patch.Status != Active && *patch.Status != Archived {
		return Product{}, errStatus
	}
	set(&p.SKU, patch.SKU)
	set(&p.Name, patch.Name)
	set(&p.Description, patch.Description)
	set(&p.Category, patch.Category)
	set(&p.PriceMinor, patch.PriceMinor)
	set(&p.Currency, patch.Currency)
	if patch.NoPrices || patch.Whole && patch.Prices != nil {
		p.Prices = nil
	}
	p.Prices = mergePrices(p.Prices, patch.Prices)
	if patch.Whole && patch.Attributes != nil {
		p.Attributes, patch.Attributes = patch.Attributes, nil
	}
	set(&p.Status, patch.Status)
	p.Placeholder = p.Placeholder && !patch.describes()
	attributes, err := mergeAttributes(p.Attributes, patch.Attributes)
	if err != nil {
		return Product{}, err
	}
	p.Attributes = attributes
	if p.Content, err = p.Validate(); err != nil {
		return Product{}, err
	}
	return p, nil
}

var errStatus = func() error {
	const detail = "status must be active or archived."
	return errs.New(errs.Invalid, "validation_failed", detail, errs.Field{Pointer: "/status", Code: "invalid_enum", Detail: detail})
}()

func set[T any](target, value *T) {
	if value != nil {
		*target = *value
	}
}

func mergeAttributes(current, patch json.RawMessage) (json.RawMessage, error) {
	switch string(patch) {
	case "":
		return current, nil
	case "null":
		return json.RawMessage("{}"), nil
	}
	changes, err := parseObject(patch)
	if err != nil {
		problem := attributesProblem(wrongType, "must be a JSON object or null")
		return nil, errs.New(errs.Invalid, "validation_failed", problem.Detail, *problem).Because(err)
	}
	target, err := parseObject(current)
	if err != nil {
		return nil, fmt.Errorf("read the stored attributes: %w", err)
	}
	return encode(mergePatch(target, changes))
}

// mergePatch returns target with patch merged into it: the MergePatch of RFC 7396, section 2, for a patch that is an
// object. The arguments stay as they are.
func mergePatch(target, patch map[string]any) map[string]any {
	merged := maps.Clone(target)
	if merged == nil {
		merged = make(map[string]any, len(patch))
	}
	for name, change := range patch {
		switch change := change.(type) {
		case nil:
			delete(merged, name)
		case map[string]any:
			member, _ := merged[name].(map[string]any) // anything else is replaced
			merged[name] = mergePatch(member, change)
		default:
			merged[name] = change
		}
	}
	return merged
}
