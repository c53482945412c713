package validate

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/hp-analytics/hp-analytics/internal/openapi/strictjson"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

const textDetail = "Must be text without the NUL character."

// checkStorable finds values that JSON Schema allows but that cannot be stored: the NUL character, which Postgres refuses in
// text, and integers with a fraction or an exponent (1.0, 1e3), which Go does not decode into integers.
func checkStorable(pointer string, schema *openapi3.Schema, value any) []errs.Field {
	switch v := value.(type) {
	case string:
		if strings.ContainsRune(v, 0) {
			return []errs.Field{newField(pointer, "invalid_value", textDetail)}
		}
	case json.Number:
		if schema != nil && schema.Type.Is(openapi3.TypeInteger) && isWhole(v) && strings.ContainsAny(v.String(), ".eE") {
			return []errs.Field{newField(pointer, "wrong_type", "Must be an integer without fraction or exponent.")}
		}
	case []any:
		return storableItems(pointer, schema, v)
	case map[string]any:
		return storableMembers(pointer, schema, v)
	}
	return nil
}

func storableItems(pointer string, schema *openapi3.Schema, items []any) []errs.Field {
	var itemSchema *openapi3.Schema
	if schema != nil && schema.Items != nil {
		itemSchema = schema.Items.Value
	}
	if itemSchema != nil && len(itemSchema.AnyOf) > 0 {
		return nil // the handler validates each item, so that one bad item does not fail the request
	}
	var fields []errs.Field
	for i, item := range items {
		fields = append(fields, checkStorable(pointer+"/"+strconv.Itoa(i), itemSchema, item)...)
	}
	return fields
}

func storableMembers(pointer string, schema *openapi3.Schema, members map[string]any) []errs.Field {
	var fields []errs.Field
	for _, name := range slices.Sorted(maps.Keys(members)) {
		var memberSchema *openapi3.Schema
		if schema != nil && schema.Properties[name] != nil {
			memberSchema = schema.Properties[name].Value
		}
		at := pointer + "/" + strictjson.Escape(name)
		if strings.ContainsRune(name, 0) {
			fields = append(fields, newField(pointer, "invalid_value", textDetail))
		}
		fields = append(fields, checkStorable(at, memberSchema, members[name])...)
	}
	return fields
}

// isWhole reports whether n has the value of an integer. The schema has already refused all other numbers.
func isWhole(n json.Number) bool {
	f, err := n.Float64()
	return err == nil && f == float64(int64(f))
}
