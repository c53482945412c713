// Command auth runs the auth service.
package main

import (
	"context"
	"os"

	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/services/auth"
)

func main() {
	os.Exit(service.Main("auth", os.Args[1:], os.Environ(), os.Stdout, os.Stderr,
		func(ctx context.Context, cfg auth.Config, deps service.Deps) (service.Service, error) {
			return auth.New(ctx, cfg, deps)
		}))
}
