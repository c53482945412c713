// Package aggregator is the service that folds raw events and purchases into the daily rollups, exactly once.
//
// A wake-up task (or the sweeper, when tasks are lost) leads to a fold: internal/postgres claims pending batches, reads
// their rows into internal/rollup, adds the result to the rollups and marks the batches, in one transaction. Everything
// else only makes that happen soon and often enough: internal/worker listens for tasks, internal/schedule sweeps and keeps
// partitions (one process at a time), internal/progress says when nothing moves. Package reconcile recounts it all.
package aggregator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	goredis "github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/openapi"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	platformpg "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/progress"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/redis"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/schedule"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/worker"
)

// leaderRetry is how often a follower tries to lead, and the leader checks that it still does.
const leaderRetry = 2 * time.Second

// Service is the aggregator.
type Service struct {
	cfg      Config
	deps     service.Deps
	health   *httpserver.Health
	routes   http.Handler
	pool     *pgxpool.Pool
	redis    *goredis.Client
	folder   *worker.Folder
	monitor  *progress.Monitor
	schedule *schedule.Schedule
}

var _ service.Service = (*Service)(nil)

// New builds the service. It connects to nothing yet.
func New(ctx context.Context, cfg Config, deps service.Deps) (*Service, error) {
	pool, err := platformpg.Open(ctx, cfg.Postgres, "hp_aggregator", "aggregator", deps.TracerProvider)
	if err != nil {
		return nil, err
	}
	client, err := platformredis.Open(cfg.Redis, "aggregator")
	if err != nil {
		return nil, err
	}
	deps.Registerer.MustRegister(platformpg.NewPoolCollector(pool), platformredis.NewPoolCollector(client))

	store := postgres.Store{Pool: pool, Lanes: cfg.Lanes, Rows: cfg.FoldRows}
	s := &Service{cfg: cfg, deps: deps, pool: pool, redis: client}
	s.folder = worker.NewFolder(store, redis.Versions{Client: client}, deps.Logger, deps.Registerer)
	s.monitor = &progress.Monitor{Pending: store.Pending, Last: s.folder.Last, Deadline: cfg.ProgressDeadline, Logger: deps.Logger}
	s.monitor.Register(deps.Registerer)
	s.schedule = &schedule.Schedule{
		Store:       store,
		Queue:       schedule.NewAsynqQueue(client, tasks.NewClient(client, cfg.Redis.Timeout)),
		Fold:        s.folder.Fold,
		ReceiptLife: time.Duration(cfg.ReceiptDays) * 24 * time.Hour,
		RawLife:     time.Duration(cfg.RetentionDays) * 24 * time.Hour,
		Now:         time.Now,
		Logger:      deps.Logger,
	}
	s.schedule.Register(deps.Registerer)

	s.health = httpserver.NewHealth(deps.Logger,
		httpserver.Check{Name: "postgres", Run: platformpg.SchemaReady(pool, migrations.Latest())},
		httpserver.Check{Name: "redis", Run: platformredis.Ready(client), Optional: true},
		httpserver.Check{Name: "progress", Run: s.monitor.Ready},
	)
	router := httpserver.NewRouter(httpserver.RouterOptions{
		Config: cfg.HTTP, Logger: deps.Logger, Registerer: deps.Registerer, Gatherer: deps.Gatherer,
		TracerProvider: deps.TracerProvider, Health: s.health,
	})
	openapi.Mount(router)
	s.routes = router
	return s, nil
}

// Routes implements service.Service. There is no public API, only the operational endpoints.
func (s *Service) Routes() http.Handler { return s.routes }

// Health implements service.Service.
func (s *Service) Health() *httpserver.Health { return s.health }

// Run implements service.Service.
func (s *Service) Run(ctx context.Context, ready func()) error {
	leader := &platformpg.Leader{Pool: s.pool, Lock: locks.AggregatorLeader, Retry: leaderRetry, Logger: s.deps.Logger}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return worker.Run(groupCtx, s.redis, s.folder, s.cfg.Concurrency, s.deps.TracerProvider, s.deps.Logger)
	})
	group.Go(func() error { return leader.Run(groupCtx, s.schedule.Run) })
	group.Go(func() error { return s.monitor.Run(groupCtx) })
	ready()
	err := group.Wait()
	if errors.Is(err, context.Canceled) { // the leader's way to say that it was asked to stop
		err = nil
	}
	s.pool.Close()
	if closeErr := s.redis.Close(); closeErr != nil && !errors.Is(closeErr, goredis.ErrClosed) {
		err = errors.Join(err, fmt.Errorf("close Redis: %w", closeErr))
	}
	return err
}
