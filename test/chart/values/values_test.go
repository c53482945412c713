// Package values_test checks that the schema of the chart's values rejects unknown keys.
package values_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

const chart = "../../../charts/hp-analytics"

func defaults(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join(chart, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// open lists maps with user-defined keys, and parts of Kubernetes objects that are passed through.
var open = []string{
	"annotations", "labels", "podAnnotations", "podLabels", "serviceAccountAnnotations", "nodeSelector", "resourceAttributes",
	"settings", "parameters", "spec", // of databases
	"affinity", "behavior", "scaleUp", "scaleDown", "podSecurityContext", "containerSecurityContext", "seccompProfile", "capabilities",
}

// TestUnknownKeys adds an unknown key to every map of the default values. Only open maps may accept it.
func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	schema := compile(t)
	if err := schema.Validate(defaults(t)); err != nil {
		t.Fatalf("the default values: %v", err)
	}
	for path, at := range mapsOf(defaults(t), "values") {
		values := defaults(t)
		at(values)["unknownKey"] = "x"
		name := path[strings.LastIndex(path, ".")+1:]
		if schema.Validate(values) == nil && !slices.Contains(open, name) {
			t.Errorf("%s takes a key that does nothing", path)
		}
	}
}

// mapsOf returns all maps inside values, by path, as functions that find the same map in a copy.
func mapsOf(values map[string]any, path string) map[string]func(map[string]any) map[string]any {
	out := map[string]func(map[string]any) map[string]any{
		path: func(copied map[string]any) map[string]any { return copied },
	}
	for key, value := range values {
		inner, ok := value.(map[string]any)
		if !ok {
			continue
		}
		for innerPath, at := range mapsOf(inner, path+"."+key) {
			out[innerPath] = func(copied map[string]any) map[string]any {
				child, _ := copied[key].(map[string]any)
				return at(child)
			}
		}
	}
	return out
}
