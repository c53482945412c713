// Command schemas generates the JSON Schemas with which kubeconform validates rendered manifests offline. Those of the built-in kinds
// come from the OpenAPI document in the module k8s.io/kubernetes. Those of custom resources come from the definitions in the modules of
// their projects and from the files given as arguments.
//
//	go run ./schemas -out .bin/schemas charts/hp-analytics/crds/*.yaml
//
// It writes <out>/<kubernetes minor>/<group>/<kind>_<version>.json and <out>/crds/<group>/<kind>_<version>.json.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	flags := flag.NewFlagSet("schemas", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("out", "", "directory to write to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *out == "" {
		return errors.New("-out is required")
	}
	dirs, err := download(ctx)
	if err != nil {
		return err
	}
	var newest *api
	for _, k := range kubernetes {
		if newest, err = readAPI(filepath.Join(dirs[k.module], "api/openapi-spec/swagger.json")); err != nil {
			return fmt.Errorf("kubernetes %s: %w", k.minor, err)
		}
		if err := write(filepath.Join(*out, k.minor), newest.schemas()); err != nil {
			return err
		}
	}
	files := flags.Args()
	for _, c := range customResources {
		files = append(files, filepath.Join(dirs[c.module], c.file))
	}
	for _, file := range files {
		definitions, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		schemas, err := crdSchemas(definitions, newest)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := write(filepath.Join(*out, "crds"), schemas); err != nil {
			return err
		}
	}
	cluster, err := crdSchemas(cloudNativePG, newest)
	if err != nil {
		return fmt.Errorf("cloudnative-pg: %w", err)
	}
	return write(filepath.Join(*out, "crds"), cluster)
}

// kind identifies a schema as kubeconform does: the group of the core API is its version, "v1".
type kind struct{ group, version, name string }

func (k kind) file() string {
	group := k.group
	if group == "" {
		group = k.version
	}
	return filepath.Join(group, strings.ToLower(k.name)+"_"+k.version+".json")
}

func write(dir string, schemas map[kind]schema) error {
	for k, s := range schemas {
		file := filepath.Join(dir, k.file())
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			return err
		}
		text, err := json.Marshal(s)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
