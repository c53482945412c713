// Package aggregator is the service that folds events, orders and refunds into the rollups of their projects, exactly once.
//
// A wake-up task leads to a fold: internal/postgres claims pending batches, reads their facts into internal/rollup, adds
// the result to the rollups and marks the batches, in one transaction. The other packages make that happen soon and often
// enough: internal/worker listens for tasks, internal/schedule replaces lost tasks and maintains the partitions (in one
// process at a time), internal/erase forgets users, internal/zonechange changes time zones of projects, internal/alert evaluates alerts
// and internal/digest sends them and digests (in the same process), internal/progress notices when nothing is folded, and internal/servers measures Postgres and Redis. Package
// reconcile recounts everything.
package aggregator

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/openapi"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/alert"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/digest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/erase"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/progress"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/redis"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/schedule"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/servers"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/worker"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/zonechange"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
)

// leaderRetry is how often a follower tries to become the leader, and how often the leader checks that it still is.
const leaderRetry = 2 * time.Second

// New builds the service. It opens no connection yet.
func New(ctx context.Context, cfg Config, deps service.Deps) (service.Service, error) {
	f, err := frame.Open(ctx, cfg.Config, deps, frame.Spec{
		Name: "aggregator", Role: "hp_aggregator", SchemaVersion: migrations.Latest(),
	})
	if err != nil {
		return nil, err
	}
	store := postgres.Store{Pool: f.Pool, Lanes: cfg.Lanes, Rows: cfg.FoldRows, Bytes: cfg.FoldBytes / cfg.folds()}
	foldWorker := worker.New(store, redis.Versions{Client: f.Redis}, f.Logger, f.Registerer)
	monitor := progress.New(progress.Options{
		Pending: store.Pending, Reconciled: store.Reconciled, Erasures: store.Erasures, Last: foldWorker.Last, Deadline: cfg.ProgressDeadline, Logger: f.Logger,
	}, f.Registerer)
	queue := schedule.NewAsynqQueue(f.Redis, tasks.NewClient(f.Redis, cfg.Redis.Timeout))
	measured := schedule.NewQueueMetrics(queue, f.Registerer)
	shared := servers.New(servers.Postgres{Pool: f.Pool}, servers.Redis{Client: f.Redis}, f.Logger, f.Registerer)
	work := schedule.New(schedule.Options{
		Store:       store,
		Queue:       queue,
		Fold:        foldWorker.Fold,
		RetryFailed: foldWorker.RetryFailed,
		ReceiptLife: time.Duration(cfg.ReceiptDays) * 24 * time.Hour,
		RawLife:     time.Duration(cfg.RetentionDays) * 24 * time.Hour,
		Now:         time.Now,
		Logger:      f.Logger,
	}, f.Registerer)
	turn := rebuild.NewTurn()
	eraser := &erase.Eraser{Pool: f.Pool, Redis: f.Redis, Logger: f.Logger, Turn: turn}
	mover := zonechange.New(zonechange.Options{Pool: f.Pool, Redis: f.Redis, Turn: turn, Now: time.Now, Logger: f.Logger}, f.Registerer)
	networks, err := cfg.networks()
	if err != nil {
		return nil, err
	}
	digests := digest.New(digest.Options{
		Pool: f.Pool, Webhook: digest.Webhook{Allowed: networks}, Now: time.Now, Logger: f.Logger,
		Alerts: alert.New(alert.Options{Pool: f.Pool, Now: time.Now, Logger: f.Logger}, f.Registerer),
		Mail: digest.Mail{
			Host: cfg.SMTP.Host, Port: cfg.SMTP.Port, Username: cfg.SMTP.Username, Password: string(cfg.SMTP.Password), From: cfg.SMTP.From, TLS: cfg.SMTP.TLS,
			Dashboard: cfg.DashboardURL,
		},
	}, f.Registerer)
	leader := &platformpostgres.Leader{Pool: f.Pool, Lock: locks.AggregatorLeader, Retry: leaderRetry, Logger: f.Logger}
	return f.Service(frame.Parts{
		Mount: func(router *httpserver.Router) error {
			openapi.Mount(router) // there are no operations
			return nil
		},
		Checks: []httpserver.Check{{Name: "progress", Run: monitor.Ready}},
		Background: []lifecycle.Component{
			lifecycle.Loop("progress monitor", monitor.Run),
			lifecycle.Loop("queue monitor", measured.Run),
			lifecycle.Loop("server monitor", shared.Run),
			{Name: "worker", Run: func(ctx context.Context, ready func()) error {
				ready()
				return worker.Run(ctx, f.Redis, foldWorker, cfg.Concurrency, f.TracerProvider, f.Logger)
			}},
			lifecycle.Loop("leader", func(ctx context.Context) { leader.Run(ctx, lead(work.Run, eraser.Run, mover.Run, digests.Run)) }),
		},
	})
}

// lead returns the work of the leader: all of some work at the same time.
func lead(all ...func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		for _, work := range all {
			group.Go(func() error { return work(ctx) })
		}
		return group.Wait() //nolint:wrapcheck // it is that of the work
	}
}
