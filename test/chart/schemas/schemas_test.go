package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// validate checks an object as kubeconform does: schemas are draft 4, unknown formats are ignored.
func validate(t *testing.T, schemas map[kind]schema, k kind, object string) error {
	t.Helper()
	s, ok := schemas[k]
	if !ok {
		t.Fatalf("no schema for %v", k)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4)
	if err := compiler.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatalf("%v does not compile: %v", k, err)
	}
	var value any
	if err := yaml.Unmarshal([]byte(object), &value); err != nil {
		t.Fatal(err)
	}
	return compiled.Validate(value)
}

func miniature(t *testing.T) *api {
	t.Helper()
	a, err := readAPI("testdata/swagger.json")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestBuiltInKinds(t *testing.T) {
	t.Parallel()
	schemas := miniature(t).schemas()
	pod := kind{"", "v1", "Pod"}
	for name, test := range map[string]struct {
		object string
		want   string // part of the error; empty: valid
	}{
		"valid": {object: `
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {containers: [{name: a, port: 80, memory: 1Gi}, {name: b, port: http, memory: 1.5}]}`},
		"unknown field behind a reference": {want: "additional properties 'imagee' not allowed", object: `
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {containers: [{name: a, imagee: b}]}`},
		"unknown field in metadata": {want: "additional properties 'lables' not allowed", object: `
apiVersion: v1
kind: Pod
metadata: {name: a, lables: {}}`},
		"required field missing": {want: "missing property 'name'", object: `
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {containers: [{}]}`},
		"number for a label": {want: "got number, want string", object: `
apiVersion: v1
kind: Pod
metadata: {name: a, labels: {version: 1.0}}`},
		"null": {want: "got null, want object", object: `
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:`},
		"no metadata": {want: "missing property 'metadata'", object: `{apiVersion: v1, kind: Pod}`},
		"other kind":  {want: "value must be 'Pod'", object: `{apiVersion: v1, kind: Pot, metadata: {}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, validate(t, schemas, pod, test.object), test.want)
		})
	}
	if len(schemas) != 1 {
		t.Errorf("%d schemas, want only that of Pod: DeleteOptions is shared by groups, Container is no object", len(schemas))
	}
}

func TestCustomResources(t *testing.T) {
	t.Parallel()
	crd, err := os.ReadFile("testdata/crd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := crdSchemas(crd, miniature(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(schemas) != 1 {
		t.Errorf("%d schemas, want only that of the served version", len(schemas))
	}
	for name, test := range map[string]struct{ spec, want string }{
		"valid":                  {spec: `{min: 1, open: {any: thing}, template: {kind: Pod}, percent: 50%, none: null}`},
		"unknown field":          {spec: `{min: 1, max: 2}`, want: "additional properties 'max' not allowed"},
		"below minimum":          {spec: `{min: 0}`, want: "minimum: got 0, want 1"},
		"not one of":             {spec: `{min: 1, mode: c}`, want: "value must be one of 'a', 'b'"},
		"restriction of a field": {spec: `{min: 1, either: {}}`, want: "validation failed"},
		"field of a restriction": {spec: `{min: 1, either: {b: x}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := fmt.Sprintf("{apiVersion: example.org/v1, kind: Pool, metadata: {name: a}, spec: %s}", test.spec)
			check(t, validate(t, schemas, kind{"example.org", "v1", "Pool"}, object), test.want)
		})
	}
	t.Run("metadata", func(t *testing.T) {
		t.Parallel()
		object := "{apiVersion: example.org/v1, kind: Pool, metadata: {nam: a}, spec: {min: 1}}"
		check(t, validate(t, schemas, kind{"example.org", "v1", "Pool"}, object), "additional properties 'nam' not allowed")
	})
}

func check(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("got %v, want valid", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("got %v, want an error with %q", err, want)
	}
}

func TestCloudNativePG(t *testing.T) {
	t.Parallel()
	schemas, err := crdSchemas(cloudNativePG, miniature(t))
	if err != nil {
		t.Fatal(err)
	}
	cluster := kind{"postgresql.cnpg.io", "v1", "Cluster"}
	for spec, want := range map[string]string{
		`{instances: 3, storage: {size: 10Gi}, bootstrap: {initdb: {database: a, owner: a}}}`: "",
		`{instances: 3, storage: {sise: 10Gi}}`:                                               "additional properties 'sise' not allowed",
		`{storage: {size: 10Gi}}`:                                                             "missing property 'instances'",
	} {
		object := fmt.Sprintf("{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {name: a}, spec: %s}", spec)
		check(t, validate(t, schemas, cluster, object), want)
	}
}

func TestStreamWithoutDefinition(t *testing.T) {
	t.Parallel()
	if _, err := crdSchemas([]byte("kind: Pod\n"), miniature(t)); err == nil {
		t.Error("no error for a stream without a definition")
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := write(dir, map[kind]schema{{"", "v1", "Pod"}: {}, {"apps", "v1", "Deployment"}: {}}); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"v1/pod_v1.json", "apps/deployment_v1.json"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
}

func TestDecodeDownloads(t *testing.T) {
	t.Parallel()
	dirs, err := decodeDownloads([]byte(`{"Path":"a","Version":"v1.0.0","Dir":"/a"} {"Path":"b","Version":"v2.0.0","Dir":"/b"}`))
	if err != nil || dirs["a@v1.0.0"] != "/a" || dirs["b@v2.0.0"] != "/b" {
		t.Errorf("got %v, %v", dirs, err)
	}
	if _, err := decodeDownloads([]byte(`{"Path":"a","Error":"not found"}`)); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("got %v, want what go said", err)
	}
}
