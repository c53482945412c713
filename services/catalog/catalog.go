// Package catalog is the service that keeps the products: everybody may read them, admins change them.
//
// A request passes internal/openapi/edge (authentication, access, validation) and internal/api; internal/product holds the
// rules and internal/postgres the SQL. Single products are read through a cache in the process and in Redis.
// Its entries carry the version of the product: a change replaces them after its commit, and a slow reader cannot put an
// old version back.
package catalog

import (
	"context"
	"math"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/hp-analytics/hp-analytics/internal/openapi"
	"github.com/hp-analytics/hp-analytics/internal/openapi/edge"
	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/platform/inflight"
	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/api"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/postgres"
)

// localTTL is how long a product stays in the memory of the process. It bounds the time until a change shows on all
// replicas.
const localTTL = time.Second

// A body that pauses for longer than bodyStall, or brings fewer bytes a second than minBodyRate on average, is not waited for.
const (
	bodyStall   = 5 * time.Second
	minBodyRate = 16 << 10
)

// New builds the service. It opens no connection yet.
func New(ctx context.Context, cfg Config, deps service.Deps) (service.Service, error) {
	f, err := frame.Open(ctx, cfg.Config, deps, frame.Spec{
		Name: "catalog", Role: "hp_catalog", SchemaVersion: migrations.Latest(), Tokens: &cfg.Auth,
	})
	if err != nil {
		return nil, err
	}
	products := cache.New(cache.Options{
		Name: "products", LocalTTL: localTTL, RedisTTL: cfg.CacheTTL, MaxBytes: uint64(cfg.CacheBytes), Off: cfg.Baseline,
	}, f.Redis, f.Logger, f.Registerer)
	budget := inflight.NewBudget("catalog", inflight.Limits{
		Total: cfg.MaxInflightBytes, Caller: math.MaxInt64, Address: math.MaxInt64, // only admins send large bodies
	}, f.Registerer)
	bodies := body.NewOpener(budget, body.Pace{Stall: bodyStall, Rate: minBodyRate, Total: cfg.HTTP.ReadTimeout})
	server := api.NewServer(postgres.New(f.Pool), products, bodies, f.Logger)
	return f.Service(frame.Parts{
		Mount: func(router chi.Router) error {
			openapi.Mount(router)
			return edge.Mount(router, "catalog", edge.Options{Authenticator: f.Verifier}, server.Mount)
		},
		Background: []lifecycle.Component{lifecycle.OnStop("product cache", products.Close)},
	})
}
