// Package ingest is the service that takes events and purchases and makes them durable.
//
// A request goes: authentication → internal/api (rights, body, quota) → internal/decode → internal/event (the rules) →
// internal/postgres (one transaction, with the batch that is both receipt and inbox of the aggregator) → internal/wakeup
// (a task, after the commit) → internal/folded, if the client wants to wait for the numbers. Only Postgres is needed to answer: while Redis is away the quota is counted in the process
// and the aggregator finds the batch by itself.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	goredis "github.com/redis/go-redis/v9"

	"github.com/hp-analytics/hp-analytics/internal/openapi"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/api"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/body"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/committer"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/folded"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/inflight"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/products"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/wakeup"
)

// A replica takes up to a hundredth of a caller's quota ahead, and no more than a batch: that is what a caller may lose who
// stops sending to it.
const (
	leaseShare = 100
	maxLease   = event.MaxBatch
)

// durable is what a 2xx promises, whatever the server's own default is.
var durable = platformpostgres.Setting{Name: "synchronous_commit", Value: "on"}

// oncePlanned keeps Postgres from planning the inserts anew for each number of rows: they have one plan, and planning a
// small flush takes as long as running it.
var oncePlanned = platformpostgres.Setting{Name: "plan_cache_mode", Value: "force_generic_plan"}

// Service is the ingest service.
type Service struct {
	health    *httpserver.Health
	routes    http.Handler
	committer *committer.Committer
	waker     *wakeup.Waker
	folded    *folded.Watcher
	products  *products.Cache
	pool      *pgxpool.Pool
	redis     *goredis.Client
}

var _ service.Service = (*Service)(nil)

// New builds the service. It connects to nothing yet; ctx ends when the process is about to exit.
func New(ctx context.Context, cfg Config, deps service.Deps) (*Service, error) {
	pool, err := platformpostgres.Open(ctx, cfg.Postgres, "hp_ingest", "ingest", deps.TracerProvider, durable, oncePlanned)
	if err != nil {
		return nil, err
	}
	client, err := redis.Open(cfg.Redis, "ingest")
	if err != nil {
		return nil, err
	}
	verifier := authn.NewVerifier(ctx, cfg.Auth, authn.PostgresKeys{Pool: pool}, deps.Logger)
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
	store := postgres.New(pool, deps.Registerer)
	known := products.New(store, deps.Registerer)
	waker := wakeup.New(tasks.NewClient(client, cfg.Redis.Timeout), deps.Logger, deps.Registerer)
	shared := committer.New(store, waker, committer.Options{Writers: cfg.Writers, MaxWaiting: cfg.MaxWaitingRows}, deps.Registerer)
	watcher := folded.New(store, folded.Options{Timeout: cfg.WaitTimeout, MaxBatches: cfg.MaxWaits}, deps.Logger, deps.Registerer)
	router.Group(func(r chi.Router) {
		r.Use(verifier.Middleware)
		newServer(cfg, deps, store, shared, watcher, known, client).Mount(r)
	})
	return &Service{
		health: health, routes: router, committer: shared, waker: waker, folded: watcher, products: known, pool: pool, redis: client,
	}, nil
}

// newServer puts the edge of the write path together.
func newServer(cfg Config, deps service.Deps, store *postgres.Store, shared *committer.Committer, watcher *folded.Watcher,
	known *products.Cache, client *goredis.Client,
) *api.Server {
	var limiter *ratelimit.Limiter
	if cfg.RateLimit > 0 {
		policy := ratelimit.Policy{
			Name: "ingest", Limit: cfg.RateLimit, Window: cfg.RateWindow, Lease: min(maxLease, cfg.RateLimit/leaseShare),
		}
		limiter = ratelimit.New(client, policy, deps.Logger, deps.Registerer)
	}
	recorder := event.NewRecorder(
		event.Rules{Retention: time.Duration(cfg.RetentionDays) * 24 * time.Hour},
		known,
		shared,
	)
	bodies := body.NewOpener(inflight.NewBudget(cfg.MaxInflightBytes, deps.Registerer))
	return api.New(recorder, store, bodies, watcher, limiter, deps.Logger, deps.Registerer)
}

// Routes implements service.Service.
func (s *Service) Routes() http.Handler { return s.routes }

// Health implements service.Service.
func (s *Service) Health() *httpserver.Health { return s.health }

// Run implements service.Service: it commits what requests hand in, until ctx ends and none is left.
func (s *Service) Run(ctx context.Context, ready func()) error {
	ready()
	after, stopAfter := context.WithCancel(context.WithoutCancel(ctx))
	var afterwards sync.WaitGroup
	afterwards.Go(func() { s.waker.Run(after) })
	afterwards.Go(func() { s.folded.Run(after) })
	s.committer.Run(ctx)
	stopAfter() // the last flush has called, too
	afterwards.Wait()
	s.products.Close()
	s.pool.Close()
	if err := s.redis.Close(); err != nil && !errors.Is(err, goredis.ErrClosed) {
		return fmt.Errorf("close Redis: %w", err)
	}
	return nil
}
