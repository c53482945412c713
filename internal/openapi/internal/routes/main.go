// Command routes writes the routes of openapi.yaml into every gateway: the built-in one, nginx, and the chart's Ingress and
// HTTPRoute, with the chart's unit tests and the documentation. Its argument is the root of the repository.
//
// A file is either generated as a whole, or has regions between "generated from openapi.yaml (NAME): begin" and "end", in
// the comments of its language.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hp-analytics/hp-analytics/internal/openapi/internal/contract"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: routes ROOT")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "routes:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	c, err := contract.Load()
	if err != nil {
		return err
	}
	routes, err := routesOf(c)
	if err != nil {
		return err
	}
	for path, render := range files {
		if err := update(filepath.Join(root, path), func(old string) (string, error) { return render(old, routes) }); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// update rewrites a file that exists; one that is missing is made if change needs no region of it.
func update(path string, change func(old string) (string, error)) error {
	old, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	text, err := change(string(old))
	if err != nil || text == string(old) {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644) //nolint:gosec // sources are readable
}
