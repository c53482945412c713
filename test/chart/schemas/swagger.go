package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
)

const (
	definitions = "#/definitions/"
	objectMeta  = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
	quantity    = "io.k8s.apimachinery.pkg.api.resource.Quantity"
	crdProps    = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
)

// api is the OpenAPI 2 document of one Kubernetes version.
type api struct {
	definitions map[string]schema // closed
	kinds       map[kind]string   // the name of the definition
}

func readAPI(file string) (*api, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var document struct{ Definitions map[string]schema }
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	a := &api{definitions: make(map[string]schema), kinds: make(map[kind]string)}
	for name, definition := range document.Definitions {
		a.definitions[name] = closed(definition)
		// Types that many groups share, such as DeleteOptions, are not objects.
		if kinds, _ := definition["x-kubernetes-group-version-kind"].([]any); len(kinds) == 1 {
			a.kinds[kindOf(kinds[0])] = name
		}
	}
	// The document has "string" where the API server accepts a string or a number.
	a.definitions[quantity] = schema{"type": []any{"string", "number"}}
	// The JSON Schema inside a CustomResourceDefinition is recursive and is not checked here.
	a.definitions[crdProps] = schema{"type": "object"}
	return a, nil
}

func kindOf(value any) kind {
	s, _ := value.(schema)
	text := func(key string) string { t, _ := s[key].(string); return t }
	return kind{text("group"), text("version"), text("kind")}
}

func (a *api) schemas() map[kind]schema {
	out := make(map[kind]schema)
	for k, name := range a.kinds {
		root := maps.Clone(a.definitions[name])
		if properties, ok := root["properties"].(schema); ok {
			root["properties"] = maps.Clone(properties)
		}
		identify(root, k)
		root["definitions"] = a.used(root)
		out[k] = root
	}
	return out
}

// used returns the definitions that a schema refers to, directly or indirectly.
func (a *api) used(root schema) schema {
	found := make(schema)
	var visit func(value any)
	visit = func(value any) {
		switch value := value.(type) {
		case schema:
			ref, _ := value["$ref"].(string)
			if name, ok := strings.CutPrefix(ref, definitions); ok && found[name] == nil {
				found[name] = a.definitions[name]
				visit(a.definitions[name])
			}
			for _, member := range value {
				visit(member)
			}
		case []any:
			for _, member := range value {
				visit(member)
			}
		}
	}
	visit(root)
	return found
}
