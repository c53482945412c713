package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/internal/openapi/edge"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/platform/reply"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

const (
	// revalidate lets clients store an answer, but makes them revalidate it each time: a 304 is cheap, and nobody gets an outdated
	// price. What depends on the project of the caller is not for caches that callers share.
	revalidate = "private, no-cache"
)

// parallelPuts is how many cache entries are replaced at a time after a bulk upsert.
const parallelPuts = 8

// Caches are those of the answers of GET /products/{id} and GET /products.
type Caches struct {
	Products *cache.Cache // of one product each, with its version
	Pages    *cache.Cache // of lists, a group for each project
}

// ProductHeaders returns the headers of a cached product, for cache.Options.
func ProductHeaders(e cache.Entry) reply.Options {
	return reply.Options{Tag: strconv.FormatInt(e.Version, 10), CacheControl: revalidate}
}

// PageHeaders returns the headers of a cached page, for cache.Options.
func PageHeaders(cache.Entry) reply.Options {
	return reply.Options{CacheControl: revalidate}
}

// Prepared are the operations whose answers depend on nothing of the caller but its project.
func Prepared() map[string]edge.Audience {
	everybody := func(authn.Principal) string { return "" }
	return map[string]edge.Audience{"getProduct": everybody, "listProducts": everybody}
}

// answers reads through the caches.
type answers struct {
	store  *postgres.Store
	caches Caches
	logger *slog.Logger
}

// product returns the answer for the product of a project with this id.
func (a *answers) product(ctx context.Context, project int16, id uuid.UUID) (cached, error) {
	found, err := a.caches.Products.Refreshing(ctx, productKey(project, id), func(ctx context.Context) (cache.Entry, error) {
		p, err := a.store.Find(ctx, project, id)
		if err != nil {
			return cache.Entry{}, err
		}
		return encode(p)
	})
	return answerWith(ctx, found), err
}

// page returns the answer for a page of products.
func (a *answers) page(ctx context.Context, page product.Page) (cached, error) {
	found, err := a.caches.Pages.Refreshing(ctx, pageKey(page), func(ctx context.Context) (cache.Entry, error) {
		items, next, err := a.store.List(ctx, page)
		if err != nil {
			return cache.Entry{}, err
		}
		body, err := json.Marshal(listAnswer(page.Filter, items, next))
		if err != nil {
			return cache.Entry{}, fmt.Errorf("encode a page of products: %w", err)
		}
		return cache.Entry{Body: append(body, '\n')}, nil
	})
	return answerWith(ctx, found), err
}

// productKey names a product in the cache. With the project in it, no other project is answered from the cache.
func productKey(project int16, id uuid.UUID) cache.Key {
	return cache.Key{Name: strconv.Itoa(int(project)) + ":" + id.String()}
}

// pageKey names a page in the cache. Texts of a filter may be long and have line breaks, so they are quoted and hashed.
func pageKey(p product.Page) cache.Key {
	group := strconv.Itoa(int(p.Filter.Project))
	after := ""
	if p.After != nil {
		after = p.Filter.Cursor(*p.After)
	}
	asked := fmt.Sprintf("%q:%q:%q:%q:%d:%s", p.Filter.SKU, p.Filter.Status, p.Filter.Category, p.Filter.Query, p.Limit, after)
	sum := sha256.Sum256([]byte(asked))
	return cache.Key{Name: group + ":" + base64.RawURLEncoding.EncodeToString(sum[:]), Group: group}
}

// changed replaces the answers of products of a project after the commit of their change, and drops its pages: at once in this
// process and in Redis, and in other processes as soon as they hear of it. Products that are new need not be named. A client that
// disconnects does not stop it.
func (a *answers) changed(ctx context.Context, project int16, products ...product.Product) {
	ctx = context.WithoutCancel(ctx)
	if len(products) > 0 {
		a.replace(ctx, project, products)
	}
	a.caches.Pages.Changed(ctx, strconv.Itoa(int(project)))
}

func (a *answers) replace(ctx context.Context, project int16, products []product.Product) {
	keys := make([]cache.Key, len(products))
	var puts errgroup.Group
	puts.SetLimit(parallelPuts)
	for i, p := range products {
		keys[i] = productKey(project, p.ID)
		puts.Go(func() error {
			entry, err := encode(p)
			if err == nil {
				a.caches.Products.Put(ctx, keys[i], entry)
			}
			return err
		})
	}
	if err := puts.Wait(); err != nil {
		a.logger.ErrorContext(ctx, "replace cached products", "err", err)
	}
	a.caches.Products.Announce(ctx, keys)
}

func encode(p product.Product) (cache.Entry, error) {
	body, err := json.Marshal(answer(p))
	if err != nil {
		return cache.Entry{}, fmt.Errorf("encode product %s: %w", p.ID, err)
	}
	return cache.Entry{Version: p.Version, Body: body}, nil
}

// cached is an answer from a cache.
type cached struct {
	reply *reply.Reply
	asked http.Header
}

// answerWith returns a cached answer to the request of ctx, and keeps it for requests that are the same.
func answerWith(ctx context.Context, found cache.Found) cached {
	if found.Slot != nil && found.Reply != nil {
		edge.Keep(ctx, found.Slot)
	}
	return cached{reply: found.Reply, asked: edge.Asked(ctx)}
}

// VisitGetProductResponse implements GetProductResponseObject.
func (c cached) VisitGetProductResponse(w http.ResponseWriter) error { return c.write(w) }

// VisitListProductsResponse implements ListProductsResponseObject.
func (c cached) VisitListProductsResponse(w http.ResponseWriter) error { return c.write(w) }

func (c cached) write(w http.ResponseWriter) error {
	c.reply.Write(w, c.asked)
	return nil
}
