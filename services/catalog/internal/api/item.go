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

const (
	// maxProblems is how many problems of a product are named that cannot be read. It may have thousands of unknown members.
	maxProblems = 20
	// maxShownName is how many bytes of the name of an unknown member an answer repeats.
	maxShownName = 64
	// maxPointer is the maxLength of pointers in openapi.yaml.
	maxPointer = 1024
)

// parseItem decodes one product of a bulk request: its SKU and what to write. Package product checks the values. A null means
// that the member is absent.
func parseItem(raw json.RawMessage) (sku string, patch product.Patch, err error) {
	value, err := strictjson.Parse(raw)
	if refusal, ok := errors.AsType[*errs.Error](err); ok {
		if len(refusal.Fields) > 0 { // of a member that is there twice, perhaps deep in the attributes
			field := refusal.Fields[0]
			field.Pointer = shortened(field.Pointer, maxPointer)
			return "", product.Patch{}, shapeError(field)
		}
		return "", product.Patch{}, errs.New(errs.Invalid, refusal.Code, strings.Replace(refusal.Detail, "The body", "The product", 1))
	}
	members, ok := value.(map[string]any)
	if !ok {
		return "", product.Patch{}, errs.New(errs.Invalid, "wrong_type", "The product must be a JSON object.")
	}
	patch.Whole = true
	var found []errs.Field
	if members["sku"] == nil {
		found = append(found, errs.Field{Pointer: "/sku", Code: "required", Detail: "sku must be given."})
	}
	for _, name := range slices.Sorted(maps.Keys(members)) { // sorted, so that the same item always gets the same answer
		known, ok := true, true
		if name != "sku" {
			known, ok = assign(&patch, name, members[name])
		} else if members[name] != nil {
			sku, ok = members[name].(string)
		}
		switch {
		case len(found) == maxProblems:
		case !known:
			found = append(found, unknownMember(name))
		case !ok:
			found = append(found, errs.Field{Pointer: "/" + name, Code: "wrong_type", Detail: name + " has the wrong type."})
		}
	}
	if len(found) > 0 {
		return "", product.Patch{}, shapeError(found...)
	}
	return sku, patch, nil
}

// unknownMember is the problem of a member that products do not have. The client chose its name, so the answer shortens it.
func unknownMember(name string) errs.Field {
	pointer := "/" + strictjson.Escape(shortened(name, maxShownName))
	return errs.Field{Pointer: pointer, Code: "unknown_field", Detail: "Products do not have this member."}
}

// shortened returns at most so many bytes of a text.
func shortened(text string, most int) string {
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

// assign sets the member of patch with this name, unless value is null. It reports whether there is such a member, and whether
// value has its type.
func assign(patch *product.Patch, name string, value any) (known, ok bool) {
	switch name {
	case "name":
		patch.Name, ok = pointer[string](value)
	case "description":
		patch.Description, ok = pointer[string](value)
	case "category":
		patch.Category, ok = pointer[string](value)
	case "currency":
		patch.Currency, ok = pointer[string](value)
	case "status":
		var status *string
		status, ok = pointer[string](value)
		patch.Status = (*product.Status)(status)
	case "price_minor":
		patch.PriceMinor, ok = integer(value)
	case "prices":
		patch.Prices, ok = integers(value)
	case "attributes":
		if value == nil {
			return true, true
		}
		var err error
		patch.Attributes, err = json.Marshal(value)
		ok = err == nil
	default:
		return false, false
	}
	return true, ok
}

// pointer returns value, nil for null, and whether it has the type T.
func pointer[T any](value any) (*T, bool) {
	if value == nil {
		return nil, true
	}
	v, ok := value.(T)
	return &v, ok
}

func integer(value any) (*int64, bool) {
	literal, ok := pointer[json.Number](value)
	if !ok || literal == nil {
		return nil, ok
	}
	n, err := literal.Int64()
	return &n, err == nil
}

// integers returns an object of integers, or nil for null.
func integers(value any) (map[string]*int64, bool) {
	object, ok := pointer[map[string]any](value)
	if !ok || object == nil {
		return nil, ok
	}
	all := make(map[string]*int64, len(*object))
	for name, member := range *object {
		n, isInteger := integer(member)
		ok = ok && isInteger && n != nil
		all[name] = n
	}
	return all, ok
}
