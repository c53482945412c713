// Command operator runs the operator that scales workers by the backlog of their queues.
package main

import (
	"context"
	"os"

	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/k8s/operator"
)

func main() {
	os.Exit(service.Main("operator", os.Args[1:], os.Environ(), os.Stdout, os.Stderr,
		func(_ context.Context, cfg operator.Config, deps service.Deps) (service.Service, error) {
			operator.LogThrough(deps.Logger)
			return operator.New(cfg, deps)
		}))
}
