// Command catalog runs the catalog service.
package main

import (
	"context"
	"os"

	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/services/catalog"
)

func main() {
	os.Exit(service.Main("catalog", os.Args[1:], os.Environ(), os.Stdout, os.Stderr,
		func(ctx context.Context, cfg catalog.Config, deps service.Deps) (service.Service, error) {
			return catalog.New(ctx, cfg, deps)
		}))
}
