// Command aggregator runs the aggregator service.
package main

import (
	"context"
	"os"

	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/services/aggregator"
)

func main() {
	os.Exit(service.Main("aggregator", os.Args[1:], os.Environ(), os.Stdout, os.Stderr,
		func(ctx context.Context, cfg aggregator.Config, deps service.Deps) (service.Service, error) {
			return aggregator.New(ctx, cfg, deps)
		}))
}
