// Package analytics is the service that answers questions about the numbers: top products, the series of a product, the
// summary of a user. It reads rollup rows only, and every answer says up to when it is complete. The live stream alone reads raw events,
// those that have just been committed (package live).
//
// A request passes internal/openapi/edge (authentication, access, validation), internal/api (defaults, cache key), the cache
// (process, then Redis), internal/postgres (numbers and freshness from one snapshot) and internal/report (arithmetic).
// The aggregator publishes a version token for everything it changes. The tokens are part of the cache keys, so a change
// makes the old answers unreachable at once.
package analytics

import (
	"context"
	"time"

	"github.com/hibiken/asynq"

	"github.com/hp-analytics/hp-analytics/internal/checkup"
	"github.com/hp-analytics/hp-analytics/internal/openapi"
	"github.com/hp-analytics/hp-analytics/internal/openapi/edge"
	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/api"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/live"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/redis"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/system"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/yesterday"
)

// localTTL is how long an answer stays in the memory of the process.
const localTTL = time.Second

// New builds the service. It opens no connection yet.
func New(ctx context.Context, cfg Config, deps service.Deps) (service.Service, error) {
	f, err := frame.Open(ctx, cfg.Config, deps, frame.Spec{
		Name: "analytics", Role: "hp_analytics", SchemaVersion: migrations.Latest(), Tokens: &cfg.Auth, ShareLinks: true, ReadsOnly: true,
	})
	if err != nil {
		return nil, err
	}
	answers := cache.New(cache.Options{
		Name: "analytics", LocalTTL: localTTL, RedisTTL: cfg.CacheTTL, MaxBytes: uint64(cfg.CacheBytes), Off: cfg.Baseline,
		Reply: api.Headers,
	}, f.Redis, f.Logger, f.Registerer)
	versions := redis.NewVersions(f.Redis, f.Logger)
	reports := postgres.New(f.Pool)
	numbers := api.NewNumbers(reports)
	zones := api.NewZones(reports)
	numbers.Off, zones.Off = cfg.Baseline, cfg.Baseline
	viewers := live.New(reports.Live(), live.Limits{Viewers: cfg.LiveReaders, Project: cfg.LiveProjectReaders}, f.Logger, f.Registerer)
	background := []lifecycle.Component{
		lifecycle.Loop("live events", viewers.Run),
		lifecycle.OnStop("version cache", versions.Close),
		lifecycle.OnStop("answer cache", answers.Close),
		lifecycle.OnStop("number cache", numbers.Close),
		lifecycle.OnStop("time zone cache", zones.Close),
	}
	totals := yesterday.New(reports, time.Now, f.Logger, f.Registerer)
	if cfg.ExportYesterday {
		background = append(background, lifecycle.Loop("totals of yesterday", totals.Run))
	}
	quotas := api.Quotas{
		Callers: newLimiter("analytics", cfg.CostLimit, f), OfCaller: cfg.CostLimit,
		Projects: newLimiter("analytics-project", cfg.ProjectCostLimit, f), OfProject: cfg.ProjectCostLimit,
	}
	shared := newLimiter("shared", cfg.SharedLimit, f)
	for _, limiter := range []*ratelimit.Limiter{quotas.Callers, quotas.Projects, shared} {
		if limiter != nil {
			background = append(background, lifecycle.OnStop("rate limit", limiter.Close))
		}
	}
	inspector := asynq.NewInspectorFromRedisClient(f.Redis)
	state := system.New(system.Reader{
		Store: reports, Queue: redis.Queue{Client: f.Redis, Inspector: inspector}, Cache: answers, Logger: f.Logger,
		Site: checkup.Site{Data: f.Pool, Redis: f.Redis, Queue: inspector},
	})
	server := &api.Server{
		Reports: reports, Numbers: numbers, Zones: zones, Cache: answers, Versions: versions, Quotas: quotas, Shared: shared, Live: viewers, System: state,
		OpenToUsers: cfg.OpenToUsers, Now: time.Now,
	}
	return f.Service(frame.Parts{
		Mount: func(router *httpserver.Router) error {
			openapi.Mount(router)
			return edge.Mount(router, "analytics", edge.Options{
				Authenticator: f.Verifier,
				Slots:         f.NewSlots(),
				// The quota counts what answers cost. Only those that are not in the cache cost anything.
				Limits:   map[string]edge.Limit{"analytics": edge.ChargedByHandler(), "shared": edge.ChargedByHandler()},
				Prepared: api.Prepared(),
			}, server.Mount)
		},
		Background: background,
	})
}

// newLimiter returns nil if there is no limit.
func newLimiter(name string, limit int, f *frame.Frame) *ratelimit.Limiter {
	if limit == 0 {
		return nil
	}
	return ratelimit.New(f.Redis, ratelimit.Policy{Name: name, Limit: limit, Window: time.Minute}, f.Logger, f.Registerer)
}
