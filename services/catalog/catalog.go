// Package catalog is the service that keeps the products: everybody may read them, admins change them.
//
// A request passes internal/openapi/edge (authentication, access, validation) and internal/api; internal/product holds the
// rules and internal/postgres the SQL. Products and pages of products are read through caches in the process and in Redis. A
// change replaces the product and drops the pages of its project after its commit; the entries of products carry their version,
// so a slow reader cannot put an old one back.
package catalog

import (
	"context"
	"math"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/openapi"
	"github.com/hp-analytics/hp-analytics/internal/openapi/edge"
	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/inflight"
	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/api"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/postgres"
)

const (
	// productTTL is how long a product stays in the memory of the process. Replicas hear of changes at once, so it bounds the
	// staleness only if a message is lost without a trace.
	productTTL = 5 * time.Second
	// pageTTL is how long a page of products stays in the memory of the process, and in Redis. Events with an unknown SKU create
	// products past this service, which pages show when they expire.
	pageTTL = time.Second
	// missingTTL is how long the process remembers that there is no product with an id.
	missingTTL = time.Second
)

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
	caches := api.Caches{
		Products: cache.New(cache.Options{
			Name: "products", LocalTTL: productTTL, RedisTTL: cfg.CacheTTL, MissingTTL: missingTTL, MaxBytes: uint64(cfg.CacheBytes) / 2,
			Reply: api.ProductHeaders, Off: cfg.Baseline,
		}, f.Redis, f.Logger, f.Registerer),
		Pages: cache.New(cache.Options{
			Name: "pages", LocalTTL: pageTTL, RedisTTL: pageTTL, MaxBytes: uint64(cfg.CacheBytes) / 2, Reply: api.PageHeaders,
			Off: cfg.Baseline,
		}, f.Redis, f.Logger, f.Registerer),
	}
	budget := inflight.NewBudget("catalog", inflight.Limits{
		Total: cfg.MaxInflightBytes, Caller: math.MaxInt64, Address: math.MaxInt64, // only admins send large bodies
	}, f.Registerer)
	bodies := body.NewOpener(budget, body.Pace{Stall: bodyStall, Rate: minBodyRate, Total: cfg.HTTP.ReadTimeout})
	server := api.NewServer(postgres.New(f.Pool), caches, bodies, f.Logger)
	return f.Service(frame.Parts{
		Mount: func(router *httpserver.Router) error {
			openapi.Mount(router)
			return edge.Mount(router, "catalog", edge.Options{Authenticator: f.Verifier, Slots: f.NewSlots(), Prepared: api.Prepared()}, server.Mount)
		},
		Background: []lifecycle.Component{
			lifecycle.OnStop("product cache", caches.Products.Close), lifecycle.Loop("product changes", caches.Products.Run),
			lifecycle.OnStop("page cache", caches.Pages.Close), lifecycle.Loop("page changes", caches.Pages.Run),
		},
	})
}
