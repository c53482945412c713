package validate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/hp-analytics/hp-analytics/internal/openapi/strictjson"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

const textDetail = "Must be text without the NUL character."

// preparation walks a parsed body before kin-openapi checks it against the schema. It finds what JSON Schema does not say or
// what kin-openapi reports at a cost that the sender determines:
//
//   - lists over their limit, whose items kin-openapi checks all the same
//   - members that the schema does not have, which it removes: kin-openapi makes an error for each of them
//   - null for an optional member that the schema names, which it removes, unless the body is a patch: null means that it is absent
//   - the NUL character, which Postgres refuses in text
//   - integers with a fraction or an exponent (1.0, 1e3), which Go does not decode into integers
type preparation struct {
	patch    bool // null means something
	found    int
	tooLong  bool // a list is over its limit, so its items are not checked
	unknown  []errs.Field
	unstored []errs.Field
}

// full reports whether more problems were found than an answer lists.
func (p *preparation) full() bool { return p.found > maxFields }

// place is where a value is in a body. Pointers are built only for values that have a problem.
type place struct {
	parent *place
	name   string // of the member
	index  int    // of the item, if name is empty
	member bool
}

func (at *place) pointer() string {
	if at == nil {
		return ""
	}
	if at.member {
		return at.parent.pointer() + "/" + strictjson.Escape(at.name)
	}
	return at.parent.pointer() + "/" + strconv.Itoa(at.index)
}

func (p *preparation) add(fields *[]errs.Field, at *place, code, detail string) {
	if p.found++; p.found <= maxFields+1 { // one more shows that there are more
		*fields = append(*fields, newField(at.pointer(), code, detail))
	}
}

func (p *preparation) value(at *place, schema *openapi3.Schema, value any) {
	switch v := value.(type) {
	case string:
		if strings.IndexByte(v, 0) >= 0 {
			p.add(&p.unstored, at, "invalid_value", textDetail)
		}
	case json.Number:
		if schema != nil && schema.Type.Is(openapi3.TypeInteger) && isWhole(v) && strings.ContainsAny(v.String(), ".eE") {
			p.add(&p.unstored, at, "wrong_type", "Must be an integer without fraction or exponent.")
		}
	case []any:
		p.items(at, schema, v)
	case map[string]any:
		p.members(at, schema, v)
	}
}

func (p *preparation) items(at *place, schema *openapi3.Schema, items []any) {
	var itemSchema *openapi3.Schema
	switch {
	case schema == nil:
	case !schema.Type.Permits(openapi3.TypeArray):
		return // the schema refuses it
	case schema.MaxItems != nil && uint64(len(items)) > *schema.MaxItems:
		p.add(&p.unknown, at, "too_long", fmt.Sprintf("Must have at most %s.", plural(*schema.MaxItems, "item")))
		p.tooLong = true
		return
	case schema.Items != nil:
		itemSchema = schema.Items.Value
	}
	for i, item := range items {
		if p.full() {
			return
		}
		p.value(&place{parent: at, index: i}, itemSchema, item)
	}
}

func (p *preparation) members(at *place, schema *openapi3.Schema, members map[string]any) {
	if schema != nil && !schema.Type.Permits(openapi3.TypeObject) {
		return // the schema refuses it
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if p.full() {
			return
		}
		here := &place{parent: at, name: name, member: true}
		var memberSchema *openapi3.Schema
		switch {
		case schema == nil:
		case schema.Properties[name] != nil:
			memberSchema = schema.Properties[name].Value
		case schema.AdditionalProperties.Schema != nil:
			memberSchema = schema.AdditionalProperties.Schema.Value
		}
		switch {
		case memberSchema == nil && isClosed(schema):
			p.add(&p.unknown, here, "unknown_field", "There is no such field.")
			delete(members, name)
			continue
		case schema != nil && schema.Properties[name] != nil && members[name] == nil && p.meansAbsent(schema, memberSchema, name):
			delete(members, name)
			continue
		case strings.IndexByte(name, 0) >= 0:
			p.add(&p.unstored, at, "invalid_value", textDetail)
		}
		p.value(here, memberSchema, members[name])
	}
}

// isClosed reports whether a schema allows only the members that it lists.
func isClosed(schema *openapi3.Schema) bool {
	return schema != nil && schema.AdditionalProperties.Has != nil && !*schema.AdditionalProperties.Has
}

func (p *preparation) meansAbsent(schema, member *openapi3.Schema, name string) bool {
	return !p.patch && !member.Nullable && !slices.Contains(schema.Required, name)
}

// isWhole reports whether n has the value of an integer. The schema refuses all other numbers.
func isWhole(n json.Number) bool {
	f, err := n.Float64()
	return err == nil && f == float64(int64(f))
}
