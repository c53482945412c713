// Package auth is the service that knows who is who: accounts, access tokens and the keys that verify them, refresh
// tokens, API keys.
//
// A request goes: authentication (where it needs a caller) → rights → validation against openapi.yaml → rate limits →
// internal/api → internal/account (the rules), internal/password, internal/token and internal/postgres (SQL).
package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	goredis "github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/openapi"
	"github.com/hp-analytics/hp-analytics/internal/openapi/validate"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/api"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/keyring"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/password"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

const (
	// pruneEvery is how often ended refresh tokens are deleted, by one replica.
	pruneEvery = time.Hour
	// leaderRetry is how often a replica tries to become the one that prunes.
	leaderRetry = time.Minute
)

// Service is the auth service.
type Service struct {
	health *httpserver.Health
	routes http.Handler
	store  postgres.Store
	pool   *pgxpool.Pool
	redis  *goredis.Client
	deps   service.Deps
}

var _ service.Service = (*Service)(nil)

// New builds the service. It connects to nothing yet; ctx ends when the process is about to exit.
func New(ctx context.Context, cfg Config, deps service.Deps) (*Service, error) {
	pool, err := platformpostgres.Open(ctx, cfg.Postgres, "hp_auth", "auth", deps.TracerProvider)
	if err != nil {
		return nil, err
	}
	client, err := redis.Open(cfg.Redis, "auth")
	if err != nil {
		return nil, err
	}
	valid, err := validate.Requests()
	if err != nil {
		return nil, err
	}
	deps.Registerer.MustRegister(platformpostgres.NewPoolCollector(pool), redis.NewPoolCollector(client))

	store := postgres.Store{Pool: pool}
	ring := keyring.New(func(ctx context.Context) ([]token.SigningKey, error) {
		return store.SigningKeys(ctx, cfg.SigningKeyMaxAge, cfg.AccessTTL)
	})
	verifier := authn.NewLocalVerifier(ring, authn.PostgresKeys{Pool: pool})
	health := httpserver.NewHealth(deps.Logger,
		httpserver.Check{Name: "postgres", Run: platformpostgres.SchemaReady(pool, migrations.Latest())},
		httpserver.Check{Name: "redis", Run: redis.Ready(client), Optional: true},
		httpserver.Check{Name: "signing_key", Run: ring.Ready},
	)
	router := httpserver.NewRouter(httpserver.RouterOptions{
		Config: cfg.HTTP, Logger: deps.Logger, Registerer: deps.Registerer, Gatherer: deps.Gatherer,
		TracerProvider: deps.TracerProvider, Health: health,
	})
	openapi.Mount(router)
	mount(router.With(callersOnly(verifier), valid), newLimits(cfg, client, deps), &api.Server{
		Store: store, Hasher: password.NewHasher(), Ring: ring,
		AccessTTL: cfg.AccessTTL, RefreshTTL: cfg.RefreshTTL, Logger: deps.Logger,
	})
	return &Service{health: health, routes: router, store: store, pool: pool, redis: client, deps: deps}, nil
}

// mount adds the operations of the contract.
func mount(router chi.Router, limits api.Limits, server *api.Server) {
	strict := api.NewStrictHandlerWithOptions(server, []api.StrictMiddlewareFunc{limits.Middleware}, api.StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  problem.Write,
		ResponseErrorHandlerFunc: problem.Write,
	})
	api.HandlerWithOptions(strict, api.ChiServerOptions{BaseRouter: router, ErrorHandlerFunc: problem.Write})
}

func newLimits(cfg Config, client *goredis.Client, deps service.Deps) api.Limits {
	perMinute := func(name string, limit int) *ratelimit.Limiter {
		return ratelimit.New(client, ratelimit.Policy{Name: name, Limit: limit, Window: time.Minute}, deps.Logger, deps.Registerer)
	}
	return api.Limits{
		LoginAddress: perMinute("login-address", cfg.LoginAddressLimit),
		LoginAccount: perMinute("login-account", cfg.LoginAccountLimit),
		Register:     perMinute("register", cfg.RegisterLimit),
		Refresh:      perMinute("refresh", cfg.RefreshLimit),
	}
}

// callersOnly authenticates what is not open to everybody: /auth/me for users, /auth/api-keys for admins. It stands
// before validation, so that a stranger's body is not even read. The open operations do not look at credentials at all:
// an expired token must not be in the way of getting a new one.
func callersOnly(verifier *authn.Verifier) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		restricted := verifier.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := allowed(r); err != nil {
				problem.Write(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		}))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/auth/me" || isKeys(r) {
				restricted.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func isKeys(r *http.Request) bool {
	return r.URL.Path == "/auth/api-keys" || strings.HasPrefix(r.URL.Path, "/auth/api-keys/")
}

func allowed(r *http.Request) error {
	if isKeys(r) {
		_, err := authn.RequireAdmin(r.Context())
		return err
	}
	caller, err := authn.Require(r.Context())
	if err == nil && !caller.IsUser() {
		err = authn.Denied("This needs the access token of a user: an API key has no account.")
	}
	return err
}

// Routes implements service.Service.
func (s *Service) Routes() http.Handler { return s.routes }

// Health implements service.Service.
func (s *Service) Health() *httpserver.Health { return s.health }

// Run implements service.Service: one replica at a time prunes ended refresh tokens.
func (s *Service) Run(ctx context.Context, ready func()) error {
	ready()
	leader := &platformpostgres.Leader{Pool: s.pool, Lock: locks.AuthLeader, Retry: leaderRetry, Logger: s.deps.Logger}
	if err := leader.Run(ctx, s.prune); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("prune refresh tokens: %w", err)
	}
	s.pool.Close()
	if err := s.redis.Close(); err != nil && !errors.Is(err, goredis.ErrClosed) {
		return fmt.Errorf("close Redis: %w", err)
	}
	return nil
}

// prune works until ctx ends. What fails now is done an hour later: pruned tokens are worth nothing anyway.
func (s *Service) prune(ctx context.Context) error {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		if n, err := s.store.PruneRefreshTokens(ctx); err != nil {
			s.deps.Logger.WarnContext(ctx, "pruning refresh tokens", "err", err)
		} else {
			s.deps.Logger.InfoContext(ctx, "pruned refresh tokens", "tokens", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
