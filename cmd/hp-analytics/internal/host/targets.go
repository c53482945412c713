// Package host runs several services in one process: the all-in-one. Code and HTTP surface are the same as with one
// container per service; only the gateway runs in the process.
package host

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/services/aggregator"
	"github.com/hp-analytics/hp-analytics/services/analytics"
	"github.com/hp-analytics/hp-analytics/services/auth"
	"github.com/hp-analytics/hp-analytics/services/catalog"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

// target is a service that this process can host.
type target struct {
	name     string
	segments []string // first path segments that the service serves
	check    func(ctx context.Context, environ []string) error
	build    func(ctx context.Context, environ []string, deps service.Deps) (service.Service, error)
}

// targets lists the services in start order.
var targets = []target{
	hosting("auth", auth.New),
	hosting("catalog", catalog.New),
	hosting("ingest", ingest.New),
	hosting("analytics", analytics.New),
	hosting("aggregator", aggregator.New),
}

// hosting describes a service by its constructor. A variable with the name of the service as a prefix applies to this
// service alone: for ingest, INGEST_DATABASE_MAX_CONNS takes precedence over DATABASE_MAX_CONNS.
func hosting[C any](name string, newService func(context.Context, C, service.Deps) (service.Service, error)) target {
	load := func(ctx context.Context, environ []string) (cfg C, err error) {
		err = config.Load(ctx, &cfg, config.Environ(environ, strings.ToUpper(name)+"_"))
		return cfg, err
	}
	return target{
		name:     name,
		segments: segments[name],
		check: func(ctx context.Context, environ []string) error {
			_, err := load(ctx, environ)
			return err
		},
		build: func(ctx context.Context, environ []string, deps service.Deps) (service.Service, error) {
			cfg, err := load(ctx, environ)
			if err != nil {
				return nil, err
			}
			return newService(ctx, cfg, deps)
		},
	}
}

// Segments returns the first path segments that a service serves. It returns none for a service without an API and for an
// unknown name.
func Segments(name string) []string {
	for _, t := range targets {
		if t.name == name {
			return t.segments
		}
	}
	return nil
}

// All is the target name for all services.
const All = "all"

// Parse reads a comma-separated list of targets. The error for an unknown name lists the valid ones.
func Parse(list string) ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		switch name = strings.TrimSpace(name); {
		case name == All:
			for _, t := range targets {
				names = append(names, t.name)
			}
		case slices.ContainsFunc(targets, func(t target) bool { return t.name == name }):
			names = append(names, name)
		default:
			return nil, fmt.Errorf("unknown target %q: choose from %s, %s", name, All, strings.Join(targetNames(), ", "))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func targetNames() []string {
	names := make([]string, 0, len(targets))
	for _, t := range targets {
		names = append(names, t.name)
	}
	return names
}
