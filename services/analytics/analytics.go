// Package analytics is the service that answers questions about the numbers: top products, the series of a product, the
// summary of a user. It reads rollup rows only, never raw events, and every answer tells up to when it is complete.
//
// A request goes: authentication → validation against openapi.yaml → internal/api (rights, defaults, cache key) → the
// cache (process, Redis) → internal/postgres (one snapshot for numbers and freshness) → internal/report (arithmetic).
// The aggregator publishes a version token for whatever it changed; tokens are part of the cache keys, so a change makes
// the old answers unreachable at once.
package analytics

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	goredis "github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/openapi"
	"github.com/hp-analytics/hp-analytics/internal/openapi/validate"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	platformpg "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/api"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/redis"
)

// localTTL is how long an answer lives in the process.
const localTTL = time.Second

// Service is the analytics service.
type Service struct {
	health *httpserver.Health
	routes http.Handler
	pool   *pgxpool.Pool
	redis  *goredis.Client
}

var _ service.Service = (*Service)(nil)

// New builds the service. It connects to nothing yet; ctx ends when the process is about to exit.
func New(ctx context.Context, cfg Config, deps service.Deps) (*Service, error) {
	pool, err := platformpg.Open(ctx, cfg.Postgres, "hp_analytics", "analytics", deps.TracerProvider)
	if err != nil {
		return nil, err
	}
	client, err := platformredis.Open(cfg.Redis, "analytics")
	if err != nil {
		return nil, err
	}
	verifier := authn.NewVerifier(ctx, cfg.Auth, authn.PostgresKeys{Pool: pool}, deps.Logger)
	deps.Registerer.MustRegister(platformpg.NewPoolCollector(pool), platformredis.NewPoolCollector(client))

	s := &Service{pool: pool, redis: client}
	s.health = httpserver.NewHealth(deps.Logger,
		httpserver.Check{Name: "postgres", Run: platformpg.SchemaReady(pool, migrations.Latest())},
		httpserver.Check{Name: "redis", Run: platformredis.Ready(client), Optional: true},
		httpserver.Check{Name: "jwks", Run: verifier.Ready},
	)
	router := httpserver.NewRouter(httpserver.RouterOptions{
		Config: cfg.HTTP, Logger: deps.Logger, Registerer: deps.Registerer, Gatherer: deps.Gatherer,
		TracerProvider: deps.TracerProvider, Health: s.health,
	})
	openapi.Mount(router)
	answers := cache.New(cache.Options{
		Name: "analytics", LocalTTL: localTTL, RedisTTL: cfg.CacheTTL, MaxBytes: uint64(cfg.CacheBytes),
	}, client, deps.Logger, deps.Registerer)
	validated, err := validate.Requests()
	if err != nil {
		return nil, err
	}
	server := &api.Server{
		Reports:  postgres.New(pool),
		Cache:    answers,
		Versions: redis.NewVersions(client, deps.Logger),
		Now:      time.Now,
	}
	router.Group(func(r chi.Router) {
		r.Use(verifier.Middleware, validated)
		api.HandlerWithOptions(api.NewStrictHandlerWithOptions(server, nil, api.StrictHTTPServerOptions{
			RequestErrorHandlerFunc:  problem.Write,
			ResponseErrorHandlerFunc: problem.Write,
		}), api.ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: problem.Write})
	})
	s.routes = router
	return s, nil
}

// Routes implements service.Service.
func (s *Service) Routes() http.Handler { return s.routes }

// Health implements service.Service.
func (s *Service) Health() *httpserver.Health { return s.health }

// Run implements service.Service. There is no background work: it holds the connections until ctx ends.
func (s *Service) Run(ctx context.Context, ready func()) error {
	ready()
	<-ctx.Done()
	s.pool.Close()
	if err := s.redis.Close(); err != nil && !errors.Is(err, goredis.ErrClosed) {
		return fmt.Errorf("close Redis: %w", err)
	}
	return nil
}
