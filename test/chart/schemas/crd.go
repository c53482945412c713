package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// customResourceDefinition contains the fields that are read.
type customResourceDefinition struct {
	Kind string
	Spec struct {
		Group    string
		Names    struct{ Kind string }
		Versions []struct {
			Name   string
			Served bool
			Schema struct {
				OpenAPIV3Schema schema `json:"openAPIV3Schema"`
			}
		}
	}
}

// crdSchemas returns the schemas of all served versions of the definitions in a YAML stream, with the common metadata. CEL rules are not
// part of JSON Schema; only an API server evaluates them.
func crdSchemas(stream []byte, a *api) (map[kind]schema, error) {
	out := make(map[kind]schema)
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(stream))); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		var crd customResourceDefinition
		if err := yaml.Unmarshal(document, &crd); err != nil {
			return nil, err
		}
		if crd.Kind != "CustomResourceDefinition" {
			continue
		}
		for _, v := range crd.Spec.Versions {
			k := kind{crd.Spec.Group, v.Name, crd.Spec.Names.Kind}
			if !v.Served {
				continue
			}
			root := closed(v.Schema.OpenAPIV3Schema)
			properties, ok := root["properties"].(schema)
			if !ok {
				return nil, fmt.Errorf("%s %s has no properties", k.name, k.version)
			}
			properties["metadata"] = schema{"$ref": definitions + objectMeta}
			identify(root, k)
			root["definitions"] = a.used(root)
			out[k] = root
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no CustomResourceDefinition with a served version")
	}
	return out, nil
}
