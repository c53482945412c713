package apifuzz

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
)

// bodyKinds change the value of a body. Its schema says whether the platform must refuse the result.
var bodyKinds = []way{
	changing("body: wrong type", func(*openapi3.Schema) bool { return true }, (*maker).otherType),
	changing("body: null", func(*openapi3.Schema) bool { return true }, func(*maker, node) any { return nil }),
	changing("body: member missing", func(s *openapi3.Schema) bool { return len(s.Required) > 0 }, (*maker).missing),
	changing("body: unknown member", func(s *openapi3.Schema) bool { return s.Type.Is(openapi3.TypeObject) }, (*maker).unknown),
	changing("body: number", func(s *openapi3.Schema) bool { return s.Type.Is(openapi3.TypeInteger) }, (*maker).number),
	changing("body: limit of a number", func(s *openapi3.Schema) bool { return s.Type.Is(openapi3.TypeInteger) && s.Min != nil }, (*maker).aroundNumber),
	changing("body: limit of a text", func(s *openapi3.Schema) bool { return s.Type.Is(openapi3.TypeString) && s.MaxLength != nil }, (*maker).aroundText),
	changing("body: strange text", func(s *openapi3.Schema) bool { return s.Type.Is(openapi3.TypeString) }, (*maker).strange),
	heavy(changing("body: too many items", func(s *openapi3.Schema) bool { return s.MaxItems != nil }, (*maker).crowd)),
	changing("body: no items", func(s *openapi3.Schema) bool { return s.MinItems > 0 }, func(*maker, node) any { return []any{} }),
}

func heavy(w way) way {
	w.heavy = true
	return w
}

// changing returns a way that replaces one value whose schema suits. Every body has one if its schema has.
func changing(name string, suits func(*openapi3.Schema) bool, change func(*maker, node) any) way {
	return way{
		name: name,
		fits: func(o *contract.Operation) bool {
			return hasBody(o) && anySchema(o.Spec.RequestBody.Value.Content[jsonType].Schema.Value, suits)
		},
		change: func(m *maker, r *Request) {
			for range 20 { // an optional member may be missing
				all := nodes(r.content.schema, r.content.value, func(other any) { r.content.value = other })
				all = slices.DeleteFunc(all, func(n node) bool { return !suits(n.schema) })
				if len(all) > 0 {
					n := all[m.IntN(len(all))]
					n.set(change(m, n))
					break
				}
				r.content.value = m.value("", r.content.schema)
			}
			r.Refused = !r.content.fits() && (r.content.media == jsonType || r.itemsChanged())
			r.Body = r.content.encode()
		},
	}
}

// itemsChanged reports whether lines hold what does not fit: they have nothing of the object around the items.
func (r *Request) itemsChanged() bool {
	object, ok := r.content.value.(map[string]any)
	if !ok {
		return true // there is no line at all
	}
	name := r.content.list()
	items, ok := object[name].([]any)
	if !ok {
		return true
	}
	around := *r.content
	around.value = map[string]any{name: items}
	return !around.fits()
}

// anySchema reports whether a schema, or one within it, suits.
func anySchema(s *openapi3.Schema, suits func(*openapi3.Schema) bool) bool {
	if suits(s) {
		return true
	}
	if s.Items != nil && anySchema(s.Items.Value, suits) {
		return true
	}
	for _, member := range s.Properties {
		if anySchema(member.Value, suits) {
			return true
		}
	}
	return false
}

func (m *maker) otherType(n node) any {
	others := []any{true, 7, -1.5, "x", []any{}, map[string]any{}, []any{nil, 1}, map[string]any{"a": nil}}
	for {
		other := others[m.IntN(len(others))]
		if !sameType(n.schema, other) || n.schema.Type == nil {
			return other
		}
	}
}

func sameType(s *openapi3.Schema, value any) bool {
	switch value.(type) {
	case bool:
		return s.Type.Is(openapi3.TypeBoolean)
	case int:
		return s.Type.Is(openapi3.TypeInteger)
	case string:
		return s.Type.Is(openapi3.TypeString)
	case []any:
		return s.Type.Is(openapi3.TypeArray)
	case map[string]any:
		return s.Type.Is(openapi3.TypeObject)
	default:
		return false
	}
}

func (m *maker) missing(n node) any {
	object, ok := n.value.(map[string]any)
	if !ok {
		return n.value
	}
	rest := maps.Clone(object)
	delete(rest, n.schema.Required[m.IntN(len(n.schema.Required))])
	return rest
}

func (m *maker) unknown(n node) any {
	object, ok := n.value.(map[string]any)
	if !ok {
		return n.value
	}
	more := maps.Clone(object)
	names := []string{"x" + m.characters(5), "", "__proto__", "$skew_ms", "SKU", "a/b~c", strings.Repeat("n", 2000), "漢"}
	more[names[m.IntN(len(names))]] = m.free(2)
	return more
}

// number returns a number that no integer of the platform is.
func (m *maker) number(node) any {
	texts := []string{"1e400", "-1e400", "99999999999999999999", "-9223372036854775809", "1.5", "1e-400", "-0", "1e3", "1E18", "0.1e1", strings.Repeat("9", 5000)}
	return json.RawMessage(texts[m.IntN(len(texts))])
}

// aroundNumber returns a limit of a number, or what is just beyond.
func (m *maker) aroundNumber(n node) any {
	values := []int64{int64(*n.schema.Min), int64(*n.schema.Min) - 1}
	if n.schema.Max != nil {
		values = append(values, int64(*n.schema.Max), int64(*n.schema.Max)+1)
	}
	return values[m.IntN(len(values))]
}

// aroundText returns a text as long as the schema allows at most or least, or one character longer or shorter.
func (m *maker) aroundText(n node) any {
	lengths := []int{int(*n.schema.MaxLength), int(*n.schema.MaxLength) + 1, int(n.schema.MinLength), max(0, int(n.schema.MinLength)-1)}
	return m.characters(lengths[m.IntN(len(lengths))])
}

// strange returns a text that is valid JSON and often treated wrongly.
func (m *maker) strange(node) any {
	texts := []string{
		"", " ", "\x00", "a\x00b", "\u2028", "\u202e", "\ufeff", "\x7f", "\r\nX: y", "../../etc/passwd", "'; DROP TABLE ingest.events; --", `"`, "\\",
		"%00", "$1", "{{7*7}}", "<script>", "é", "e\u0301", "ﬀ", strings.Repeat("😀", 300), strings.Repeat("a", 5000), "0195A3F2-7C1E-7B3A-9D54-2F6B1C8E4A10",
		"9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "2026-02-30", "2026-03-14T09:26:60Z", "1970-01-01", "NaN", "null", "true", "-1",
	}
	return texts[m.IntN(len(texts))]
}

// crowd returns an array with one item more than the schema allows.
func (m *maker) crowd(n node) any {
	items, _ := n.value.([]any)
	if len(items) == 0 {
		items = []any{m.value("", n.schema.Items.Value)}
	}
	crowded := make([]any, *n.schema.MaxItems+1)
	for i := range crowded {
		crowded[i] = items[i%len(items)]
	}
	return crowded
}
