package frame

import (
	"context"
	"errors"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
)

// Parts is what a service adds to its frame.
type Parts struct {
	// Mount adds the operations to the router, which already serves /health, /ready and /metrics.
	Mount func(router *httpserver.Router) error
	// Checks are readiness checks besides those of the frame: postgres, redis (optional) and, with a Verifier, jwks.
	Checks []httpserver.Check
	// Background is the background work, in the order of its start. It stops in reverse order, after the HTTP server and
	// before the connections close. Work that others hand something to as they stop therefore comes before them.
	Background []lifecycle.Component
}

// assembled implements service.Service.
type assembled struct {
	routes http.Handler
	health *httpserver.Health
	run    lifecycle.Component
}

// Service assembles the service from the frame and parts. On an error the frame is closed.
func (f *Frame) Service(parts Parts) (service.Service, error) {
	health := httpserver.NewHealth(f.Logger, append(f.checks(), parts.Checks...)...)
	router := httpserver.NewRouter(httpserver.RouterOptions{
		Config: f.http, Logger: f.Logger, Registerer: f.Registerer, Gatherer: f.Gatherer,
		TracerProvider: f.TracerProvider, Health: health,
	})
	if err := parts.Mount(router); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return &assembled{routes: router, health: health, run: lifecycle.Group(f.spec.Name, f.components(parts.Background)...)}, nil
}

func (f *Frame) checks() []httpserver.Check {
	checks := []httpserver.Check{
		{Name: "postgres", Run: postgres.SchemaReady(f.Pool, f.spec.SchemaVersion, !f.spec.ReadsOnly)},
		{Name: "redis", Run: f.redisReady, Optional: true},
	}
	if f.Verifier != nil {
		checks = append(checks, httpserver.Check{Name: "jwks", Run: f.Verifier.Ready})
	}
	return checks
}

// redisReady passes when Redis answers and can be used.
func (f *Frame) redisReady(ctx context.Context) error {
	if err := redis.Ready(f.Redis)(ctx); err != nil {
		return err
	}
	_, err := f.Redis.Key(ctx, "")
	return err
}

// components puts the parts of the frame before the background work, so that they stop after it.
func (f *Frame) components(background []lifecycle.Component) []lifecycle.Component {
	all := []lifecycle.Component{{Name: "connections", Run: f.hold}}
	if f.Verifier != nil {
		all = append(all, lifecycle.Loop("token verifier", f.Verifier.Run))
	}
	return append(all, background...)
}

// hold keeps the connections until ctx ends, and closes them.
func (f *Frame) hold(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	return f.close()
}

// Routes implements service.Service.
func (s *assembled) Routes() http.Handler { return s.routes }

// Health implements service.Service.
func (s *assembled) Health() *httpserver.Health { return s.health }

// Run implements service.Service.
func (s *assembled) Run(ctx context.Context, ready func()) error { return s.run.Run(ctx, ready) }
