package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// revalidate lets clients and proxies store a product, but makes them revalidate it each time: a 304 is cheap, and nobody
// gets an outdated price.
const revalidate = "public, no-cache"

// parallelPuts is how many cache entries are replaced at a time after a bulk upsert.
const parallelPuts = 8

// answers caches the encoded answers of GET /products/{id} by project and id, with the version of the product.
type answers struct {
	store  *postgres.Store
	cache  *cache.Cache
	logger *slog.Logger
}

// product returns the answer for the product of a project with this id.
func (a *answers) product(ctx context.Context, project int16, id uuid.UUID) (cache.Entry, error) {
	entry, _, err := a.cache.Get(ctx, cacheKey(project, id), func(ctx context.Context) (cache.Entry, error) {
		p, err := a.store.Find(ctx, project, id)
		if err != nil {
			return cache.Entry{}, err
		}
		return encode(p)
	})
	return entry, err
}

// cacheKey names a product in the cache. With the project in it, no other project is answered from the cache.
func cacheKey(project int16, id uuid.UUID) string {
	return strconv.Itoa(int(project)) + ":" + id.String()
}

// changed replaces the answers of products of a project after the commit of their change: at once in this process and in Redis. Other
// replicas read Redis when their local entries expire. A client that disconnects does not stop it.
func (a *answers) changed(ctx context.Context, project int16, products ...product.Product) {
	ctx = context.WithoutCancel(ctx)
	var puts errgroup.Group
	puts.SetLimit(parallelPuts)
	for _, p := range products {
		puts.Go(func() error {
			entry, err := encode(p)
			if err == nil {
				a.cache.Put(ctx, cacheKey(project, p.ID), entry)
			}
			return err
		})
	}
	if err := puts.Wait(); err != nil {
		a.logger.ErrorContext(ctx, "replace cached products", "err", err)
	}
}

func encode(p product.Product) (cache.Entry, error) {
	body, err := json.Marshal(answer(p))
	if err != nil {
		return cache.Entry{}, fmt.Errorf("encode product %s: %w", p.ID, err)
	}
	return cache.Entry{Version: p.Version, Body: body}, nil
}

// encodedProduct is a cached answer of GET /products/{id}.
type encodedProduct cache.Entry

// VisitGetProductResponse implements GetProductResponseObject.
func (p encodedProduct) VisitGetProductResponse(w http.ResponseWriter) error {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", revalidate)
	header.Set("ETag", etag(p.Version))
	w.WriteHeader(http.StatusOK)
	w.Write(p.Body)
	return nil
}
