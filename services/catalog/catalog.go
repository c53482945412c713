// Package catalog is the service that keeps the products: everybody may read them, admins change them.
//
// A request passes authentication, access control, validation against openapi.yaml and internal/api; internal/product
// holds the rules and internal/postgres the SQL. Single products are read through a cache in the process and in Redis.
// Its entries carry the version of the product: a change replaces them after its commit, and a slow reader cannot put an
// old version back.
package catalog

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/hp-analytics/hp-analytics/internal/openapi"
	"github.com/hp-analytics/hp-analytics/internal/openapi/validate"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/internal/platform/service/frame"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/api"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/postgres"
)

// localTTL is how long a product stays in the memory of the process. It bounds the time until a change shows on all
// replicas.
const localTTL = time.Second

// New builds the service. It opens no connection yet.
func New(ctx context.Context, cfg Config, deps service.Deps) (service.Service, error) {
	f, err := frame.Open(ctx, cfg.Config, deps, frame.Spec{
		Name: "catalog", Role: "hp_catalog", SchemaVersion: migrations.Latest(), Tokens: &cfg.Auth,
	})
	if err != nil {
		return nil, err
	}
	products := cache.New(cache.Options{
		Name: "products", LocalTTL: localTTL, RedisTTL: cfg.CacheTTL, MaxBytes: uint64(cfg.CacheBytes),
	}, f.Redis, f.Logger, f.Registerer)
	server := api.NewServer(postgres.New(f.Pool), products, f.Logger)
	return f.Service(frame.Parts{
		Mount:      func(router chi.Router) error { return mount(router, f.Verifier, server) },
		Background: []lifecycle.Component{lifecycle.OnStop("product cache", products.Close)},
	})
}

// mount adds the operations of the contract.
func mount(router chi.Router, verifier *authn.Verifier, server *api.Server) error {
	valid, err := validate.Requests()
	if err != nil {
		return err
	}
	openapi.Mount(router)
	strict := api.NewStrictHandlerWithOptions(server, nil, api.StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  problem.Write,
		ResponseErrorHandlerFunc: problem.Write,
	})
	api.HandlerWithOptions(strict, api.ChiServerOptions{
		BaseRouter: router.With(verifier.Middleware, adminWrites, valid), ErrorHandlerFunc: problem.Write,
	})
	return nil
}

// adminWrites lets everybody read and only admins write. It precedes validation, so that the body of a caller without
// access is not read.
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
