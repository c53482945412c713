package apifuzz

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
	"github.com/hp-analytics/hp-analytics/internal/openapi/strictjson"
)

const (
	jsonType   = "application/json"
	ndjsonType = "application/x-ndjson"
)

// content is the value of a body and what the contract says about it.
type content struct {
	value  any
	schema *openapi3.Schema
	media  string
	limit  int64
	patch  bool // null removes a member
}

// body adds a valid body.
func (m *maker) body(r *Request, spec *openapi3.RequestBody) {
	schema := spec.Content[jsonType].Schema.Value
	c := &content{schema: schema, media: jsonType, limit: contract.MaxBody(spec), patch: r.Method == http.MethodPatch}
	c.value = m.value("", schema)
	if _, ok := spec.Content[ndjsonType]; ok && m.IntN(3) == 0 {
		c.media = ndjsonType
	}
	r.content = c
	r.set("Content-Type", c.media)
	r.Body = c.encode()
}

// list returns the member of a bulk request that holds its items; empty if the schema is none of a bulk request.
func (c *content) list() string {
	for _, name := range slices.Sorted(maps.Keys(c.schema.Properties)) {
		if c.schema.Properties[name].Value.Type.Is(openapi3.TypeArray) && slices.Contains(c.schema.Required, name) {
			return name
		}
	}
	return ""
}

// encode returns the value as JSON, or its items as lines.
func (c *content) encode() []byte {
	if c.media == jsonType {
		return marshal(c.value)
	}
	var lines bytes.Buffer
	object, _ := c.value.(map[string]any) // else it has no items
	items, _ := object[c.list()].([]any)
	for _, item := range items {
		lines.Write(append(marshal(item), '\n'))
	}
	return lines.Bytes()
}

// marshal encodes a value that this package has made, which cannot fail.
func marshal(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

// fits reports whether the schema of the body allows the value as it is now.
func (c *content) fits() bool {
	value, err := strictjson.Parse(marshal(c.value))
	if err != nil {
		return false
	}
	if !c.patch {
		withoutNulls(c.schema, value)
	}
	options := append(contract.Formats(), openapi3.VisitAsRequest())
	return c.schema.VisitJSON(value, options...) == nil
}

// withoutNulls removes nulls that mean that an optional member is absent.
func withoutNulls(s *openapi3.Schema, value any) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			if s.Items != nil {
				withoutNulls(s.Items.Value, item)
			}
		}
	case map[string]any:
		for name, member := range v {
			ref, known := s.Properties[name]
			switch {
			case member == nil && known && !slices.Contains(s.Required, name):
				delete(v, name)
			case known && ref.Value.Items != nil, known && len(ref.Value.Properties) > 0:
				withoutNulls(ref.Value, member)
			}
		}
	}
}

// node is a value within a body.
type node struct {
	schema *openapi3.Schema
	value  any
	set    func(any)
}

// nodes returns all values of a body that a schema describes, from the outside in.
func nodes(s *openapi3.Schema, value any, set func(any)) []node {
	all := []node{{s, value, set}}
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			if s.Items == nil {
				break
			}
			all = append(all, nodes(s.Items.Value, item, func(other any) { v[i] = other })...)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			ref, ok := s.Properties[name]
			if !ok {
				ref = s.AdditionalProperties.Schema
			}
			if ref != nil {
				all = append(all, nodes(ref.Value, v[name], func(other any) { v[name] = other })...)
			}
		}
	}
	return all
}
