// Package catalog is the service that keeps the products: everybody may read them, admins change them.
//
// A request goes: authentication → rights → validation against openapi.yaml → internal/api → internal/product (the
// rules) and internal/postgres (SQL). Single products are read through a cache in the process and in Redis, whose entries
// carry the product's version: a change replaces them after its commit, and no slow reader can put an old one back.
package catalog

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
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/api"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/postgres"
)

// localTTL is how long a product lives in the process: the time after which a change is seen on all replicas.
const localTTL = time.Second

// Service is the catalog service.
type Service struct {
	health *httpserver.Health
	routes http.Handler
	pool   *pgxpool.Pool
	redis  *goredis.Client
}

var _ service.Service = (*Service)(nil)

// New builds the service. It connects to nothing yet; ctx ends when the process is about to exit.
func New(ctx context.Context, cfg Config, deps service.Deps) (*Service, error) {
	pool, err := platformpostgres.Open(ctx, cfg.Postgres, "hp_catalog", "catalog", deps.TracerProvider)
	if err != nil {
		return nil, err
	}
	client, err := redis.Open(cfg.Redis, "catalog")
	if err != nil {
		return nil, err
	}
	verifier := authn.NewVerifier(ctx, cfg.Auth, authn.PostgresKeys{Pool: pool}, deps.Logger)
	valid, err := validate.Requests()
	if err != nil {
		return nil, err
	}
	deps.Registerer.MustRegister(platformpostgres.NewPoolCollector(pool), redis.NewPoolCollector(client))

	health := httpserver.NewHealth(deps.Logger,
		httpserver.Check{Name: "postgres", Run: platformpostgres.SchemaReady(pool, migrations.Latest())},
		httpserver.Check{Name: "redis", Run: redis.Ready(client), Optional: true},
		httpserver.Check{Name: "jwks", Run: verifier.Ready},
	)
	router := httpserver.NewRouter(httpserver.RouterOptions{
		Config: cfg.HTTP, Logger: deps.Logger, Registerer: deps.Registerer, Gatherer: deps.Gatherer,
		TracerProvider: deps.TracerProvider, Health: health,
	})
	openapi.Mount(router)
	products := cache.New(cache.Options{
		Name: "products", LocalTTL: localTTL, RedisTTL: cfg.CacheTTL, MaxBytes: uint64(cfg.CacheBytes),
	}, client, deps.Logger, deps.Registerer)
	mount(router.With(verifier.Middleware, adminWrites, valid), api.NewServer(postgres.New(pool), products, deps.Logger))
	return &Service{health: health, routes: router, pool: pool, redis: client}, nil
}

// mount adds the operations of the contract.
func mount(router chi.Router, server *api.Server) {
	strict := api.NewStrictHandlerWithOptions(server, nil, api.StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  problem.Write,
		ResponseErrorHandlerFunc: problem.Write,
	})
	api.HandlerWithOptions(strict, api.ChiServerOptions{BaseRouter: router, ErrorHandlerFunc: problem.Write})
}

// adminWrites lets everybody read and only admins write. It stands before validation, so that a stranger's body is not
// even read.
func adminWrites(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			if _, err := authn.RequireAdmin(r.Context()); err != nil {
				problem.Write(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
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
