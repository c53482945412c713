package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
	"github.com/hp-analytics/hp-analytics/internal/platform/profiler"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/internal/platform/telemetry"
)

// Options say what a process hosts.
type Options struct {
	Targets  []string              // as returned by Parse
	Environ  []string              // KEY=value pairs, the configuration of every service
	Listener net.Listener          // the one public port
	Logger   *slog.Logger          // for all services; each record names its service
	Before   []lifecycle.Component // started before and stopped after the services: private databases
	Ready    func()                // called once, when everything is ready to serve; may be nil
}

// hosted is one service of this process.
type hosted struct {
	target
	service service.Service
}

// Check reads the configuration of the given targets without starting anything and returns all problems. A problem of a
// variable that several services share is reported once.
func Check(ctx context.Context, names, environ []string) error {
	seen := map[string]bool{}
	var problems []error
	for _, t := range selected(names) {
		err := t.check(ctx, environ)
		if err == nil {
			continue
		}
		for line := range strings.Lines(err.Error()) {
			if line = strings.TrimSpace(line); !seen[line] {
				seen[line] = true
				problems = append(problems, errors.New(line))
			}
		}
	}
	return errors.Join(problems...)
}

// Run hosts the services until ctx ends or one of them fails.
func Run(ctx context.Context, o Options) error {
	var cfg service.Config
	if err := config.Load(ctx, &cfg, config.Environ(o.Environ, "")); err != nil {
		return err
	}
	tracing, flush, err := telemetry.NewTracerProvider(ctx, "hp-analytics", service.Version(), lookup(o.Environ))
	if err != nil {
		return err
	}
	defer flushTraces(ctx, o.Logger, flush)

	registry := telemetry.NewRegistry(service.Version())
	buildCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var services []hosted
	components := append(slices.Clone(o.Before), profiler.Component(cfg.Profiler, o.Logger))
	for _, t := range selected(o.Targets) {
		svc, err := t.build(buildCtx, o.Environ, service.Deps{
			Logger:         o.Logger.With("service", t.name),
			Registerer:     prometheus.WrapRegistererWith(prometheus.Labels{"service": t.name}, registry),
			Gatherer:       registry,
			TracerProvider: tracing,
		})
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		services = append(services, hosted{target: t, service: svc})
		components = append(components, lifecycle.Component{Name: t.name, Run: svc.Run})
	}

	gateway, health := newGateway(cfg.HTTP, o.Logger, registry, tracing, services)
	components = append(components,
		httpserver.Component(o.Listener, cfg.HTTP, gateway, o.Logger),
		announce(health, o.Ready),
	)
	return lifecycle.Run(ctx, lifecycle.Options{
		Logger:     o.Logger,
		Drain:      health.Drain,
		DrainDelay: cfg.DrainDelay,
	}, components...)
}

// announce calls ready once, as soon as all services are ready. It is a component, so that the lifecycle waits for its
// goroutine.
func announce(health *httpserver.Health, ready func()) lifecycle.Component {
	return lifecycle.Component{Name: "readiness", Run: func(ctx context.Context, started func()) error {
		started()
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for ready != nil {
			if _, ok := health.Ready(ctx); ok {
				ready()
				break
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
		}
		<-ctx.Done()
		return nil
	}}
}

func selected(names []string) []target {
	var chosen []target
	for _, t := range targets {
		if slices.Contains(names, t.name) {
			chosen = append(chosen, t)
		}
	}
	return chosen
}

func lookup(environ []string) telemetry.Lookup {
	return func(name string) (string, bool) {
		for _, pair := range slices.Backward(environ) {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
}

func flushTraces(ctx context.Context, logger *slog.Logger, flush func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := flush(ctx); err != nil {
		logger.WarnContext(ctx, "flush traces", "err", err)
	}
}
