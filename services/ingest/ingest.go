// Package ingest is the service that takes events, orders and refunds and makes them durable.
//
// A request passes internal/openapi/edge (authentication, access), internal/api (body, quota), internal/decode, internal/event and
// internal/order (the rules), internal/committer (group commit) and internal/postgres: one transaction writes the rows and a batch, which is both the
// client's receipt and the aggregator's inbox. After the commit internal/wakeup enqueues a task, and internal/folded waits
// for the rollups if the client asks for that. Only Postgres is needed to answer: while Redis is down, quotas are counted
// per process and the aggregator finds the batch by itself.
package ingest

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/openapi"
	"github.com/hp-analytics/hp-analytics/internal/openapi/edge"
	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/inflight"
	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/ratelimit"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/api"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/committer"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/dictionary"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/folded"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/products"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/rejections"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/visitor"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/wakeup"
)

// settings of every database connection.
var settings = []platformpostgres.Setting{
	// A 2xx promises a durable commit, whatever the default of the server is.
	{Name: "synchronous_commit", Value: "on"},
	// Without this, Postgres plans an insert again for each number of rows. There is only one plan, and planning a small
	// flush takes as long as running it.
	{Name: "plan_cache_mode", Value: "force_generic_plan"},
	// Every statement finds its rows by a key. A plan that was made while a table was small would go on to read all of it.
	{Name: "enable_seqscan", Value: "off"},
}

// New builds the service. It opens no connection yet.
func New(ctx context.Context, cfg Config, deps service.Deps) (service.Service, error) {
	f, err := frame.Open(ctx, cfg.Config, deps, frame.Spec{
		Name: "ingest", Role: "hp_ingest", SchemaVersion: migrations.Latest(), Tokens: &cfg.Auth, Hooks: true,
		Settings: append(slices.Clone(settings), platformpostgres.Setting{
			Name: "lock_timeout", Value: strconv.FormatInt(cfg.LockTimeout.Milliseconds(), 10),
		}),
	})
	if err != nil {
		return nil, err
	}
	store := postgres.New(f.Pool, f.Registerer)
	known := products.New(store, f.Registerer)
	var catalog event.Catalog = known
	if cfg.Baseline {
		catalog = known.Uncached()
	}
	numbers := dictionary.New(store, f.Registerer)
	waker := wakeup.New(tasks.NewClient(f.Redis, cfg.Redis.Timeout), f.Logger, f.Registerer)
	watcher := folded.New(store, folded.Options{Timeout: cfg.WaitTimeout, MaxBatches: cfg.MaxWaits}, f.Logger, f.Registerer)
	writer := committer.New(store, waker, committer.Options{Writers: cfg.Writers, MaxWaiting: cfg.MaxWaitingRows, LockWait: cfg.LockTimeout}, f.Registerer)
	refusals := rejections.New(f.Redis, f.Logger, f.Registerer)
	background := []lifecycle.Component{
		lifecycle.Loop("refusals", refusals.Run),
		lifecycle.OnStop("product cache", known.Close),
		lifecycle.OnStop("dictionary", numbers.Close),
		lifecycle.Loop("waker", waker.Run),
		lifecycle.Loop("fold watcher", watcher.Run),
		lifecycle.Loop("committer", writer.Run), // last: its final flush still wakes and is watched
	}
	limits := api.Limits{Users: newLimiter("ingest-users", cfg.UserRateLimit, cfg, f), Others: newLimiter("ingest", cfg.RateLimit, cfg, f)}
	limits.Projects = ratelimit.New(f.Redis, ratelimit.Policy{Name: "project", Window: api.ProjectWindow}, f.Logger, f.Registerer)
	limits.Visitors = newLimiter("ingest-visitors", cfg.VisitorRateLimit, cfg, f)
	limits.Unidentified = newLimiter("ingest-unidentified", cfg.UnidentifiedRateLimit, cfg, f)
	limits.Public, limits.PublicKey = ratelimit.New(f.Redis, ratelimit.Policy{Name: "ingest-public", Window: time.Minute}, f.Logger, f.Registerer), cfg.PublicKeyRateLimit
	reads := newLimiter("history", cfg.HistoryLimit, cfg, f)
	for _, limiter := range []*ratelimit.Limiter{limits.Users, limits.Others, limits.Unidentified, limits.Visitors, limits.Public, limits.Projects, reads} {
		if limiter != nil {
			background = append(background, lifecycle.OnStop("rate limit", limiter.Close))
		}
	}
	rules := event.Rules{MaxEventAge: cfg.maxEventAge()}
	budget := inflight.NewBudget("ingest", inflight.Limits{
		Total: cfg.MaxInflightBytes, Caller: cfg.MaxCallerBytes, Address: cfg.MaxAddressBytes,
	}, f.Registerer)
	bodies := body.NewOpener(budget, body.Pace{Stall: cfg.BodyStall, Rate: cfg.MinBodyRate, Total: cfg.HTTP.ReadTimeout})
	recorder := event.NewRecorder(rules, event.Deps{Catalog: catalog, Dictionary: numbers, Times: store, Days: store, Committer: writer})
	orders := order.NewRecorder(rules, order.Deps{Catalog: catalog, Dictionary: numbers, Committer: writer, Archive: store})
	server := api.New(recorder, orders, store, bodies, watcher, limits, refusals, visitor.New(f.Redis, f.Logger), f.Logger, f.Registerer)
	server.History = api.NewHistory(store, api.HistoryOptions{Limiter: reads, Exports: cfg.Exports, Timeout: cfg.ExportTimeout, Stall: cfg.ExportStall}, f.Logger)
	return f.Service(frame.Parts{
		Mount: func(router *httpserver.Router) error {
			openapi.Mount(router)
			return edge.Mount(router, "ingest", edge.Options{
				Authenticator: f.Verifier,
				Slots:         f.NewSlots(),
				// The quotas count events. How many there are is known after the body is decoded.
				// That of history counts requests, and an export counts more.
				Limits: map[string]edge.Limit{
					"ingest": edge.ChargedByHandler(), "project": edge.ChargedByHandler(), "history": edge.ChargedByHandler(),
				},
			}, server.Mount)
		},
		Background: background,
	})
}

// A replica leases up to a hundredth of a caller's quota in advance, and no more than one batch. A caller that stops
// sending to the replica loses what is left of the lease.
const (
	leaseShare = 100
	maxLease   = event.MaxBatch
)

// newLimiter returns nil if there is no limit.
func newLimiter(name string, limit int, cfg Config, f *frame.Frame) *ratelimit.Limiter {
	if limit == 0 {
		return nil
	}
	policy := ratelimit.Policy{
		Name: name, Limit: limit, Window: cfg.RateWindow, Lease: min(maxLease, limit/leaseShare),
	}
	return ratelimit.New(f.Redis, policy, f.Logger, f.Registerer)
}
