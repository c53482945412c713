// Command analytics runs the analytics service.
package main

import (
	"context"
	"os"

	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/services/analytics"
)

func main() {
	os.Exit(service.Main("analytics", os.Args[1:], os.Environ(), os.Stdout, os.Stderr,
		func(ctx context.Context, cfg analytics.Config, deps service.Deps) (service.Service, error) {
			return analytics.New(ctx, cfg, deps)
		}))
}
