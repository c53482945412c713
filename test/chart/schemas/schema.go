package main

import "slices"

// schema is a JSON Schema (draft 4, which kubeconform assumes) as decoded JSON.
type schema = map[string]any

// closed copies a schema of the API so that unknown fields are errors: objects with properties accept no others. It omits documentation
// and hints for clients. A null is an error too, although the API treats it as "not set": in rendered manifests it is an empty value
// that slipped through a template.
func closed(s schema) schema {
	if s["x-kubernetes-preserve-unknown-fields"] == true || s["x-kubernetes-embedded-resource"] == true {
		return schema{}
	}
	if ref, ok := s["$ref"]; ok {
		return schema{"$ref": ref}
	}
	if s["x-kubernetes-int-or-string"] == true || s["format"] == "int-or-string" {
		return schema{"type": []any{"integer", "string"}}
	}
	out := make(schema)
	for key, value := range s {
		switch key {
		case "type", "format", "enum", "pattern", "required", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
			"minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties":
			out[key] = value
		case "allOf", "anyOf", "oneOf", "not":
			// These only repeat fields to restrict them, so they stay open.
			out[key] = value
		case "items", "additionalProperties":
			out[key] = closedIfSchema(value)
		case "properties":
			out[key] = closedEach(value)
		}
	}
	if _, ok := out["properties"]; ok && out["additionalProperties"] == nil {
		out["additionalProperties"] = false
	}
	if s["nullable"] == true {
		return schema{"anyOf": []any{out, schema{"type": "null"}}}
	}
	return out
}

func closedIfSchema(value any) any {
	if s, ok := value.(schema); ok {
		return closed(s)
	}
	return value
}

func closedEach(value any) schema {
	out := make(schema)
	properties, _ := value.(schema)
	for name, property := range properties {
		out[name] = closedIfSchema(property)
	}
	return out
}

// identify restricts a schema to one kind and requires kind and metadata.
func identify(s schema, k kind) {
	apiVersion := k.version
	if k.group != "" {
		apiVersion = k.group + "/" + k.version
	}
	properties, ok := s["properties"].(schema)
	if !ok {
		return
	}
	properties["apiVersion"] = schema{"enum": []any{apiVersion}}
	properties["kind"] = schema{"enum": []any{k.name}}
	required, _ := s["required"].([]any)
	required = slices.Clone(required)
	for _, field := range []any{"apiVersion", "kind", "metadata"} {
		if !slices.Contains(required, field) {
			required = append(required, field)
		}
	}
	s["required"] = required
}
