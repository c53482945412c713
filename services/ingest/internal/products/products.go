// Package products caches products, so that events about known products cost no query.
//
// The cache is a guess: the transaction that stores an event or a purchase compares the guess with the product's row
// (event.ErrProductChanged). A refusal never comes from memory, because no transaction would check it. So a change of a
// product counts from its commit on, and neither Redis nor the age of an entry has to do with it.
package products

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/lookup"
)

const (
	// ttl bounds how often a change that nobody noticed fails the transaction of a flush: each replica meets it once.
	ttl = 4 * time.Second
	// maxEntries bounds the memory: about 20 MB.
	maxEntries = 100_000
)

// Source looks up products that are not in the cache.
type Source interface {
	// Products returns those of refs that exist, archived ones included.
	Products(ctx context.Context, refs []event.Ref) (map[event.Ref]event.Product, error)
	// CreatePlaceholders is that of event.Catalog.
	CreatePlaceholders(ctx context.Context, refs []event.Ref, currency string) error
}

// Cache answers from memory and loads missing products from a source. It is safe for concurrent use.
type Cache struct {
	source  Source
	loader  *lookup.Loader[event.Ref, event.Product]
	entries *otter.Cache[event.Ref, event.Product] // only products that exist
	hits    prometheus.Counter
	misses  prometheus.Counter
}

var _ event.Catalog = (*Cache)(nil)

// New returns an empty cache in front of source.
func New(source Source, registerer prometheus.Registerer) *Cache {
	lookups := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hpa_ingest_product_lookups_total", Help: "Look-ups of products by where the answer came from.",
	}, []string{"source"})
	registerer.MustRegister(lookups)
	return &Cache{
		source: source,
		loader: lookup.NewLoader(source.Products),
		entries: otter.Must(&otter.Options[event.Ref, event.Product]{
			MaximumSize:      maxEntries,
			ExpiryCalculator: otter.ExpiryWriting[event.Ref, event.Product](ttl),
		}),
		hits:   lookups.WithLabelValues("process"),
		misses: lookups.WithLabelValues("postgres"),
	}
}

// Close waits for the queries in flight and stops the goroutine that removes expired entries.
func (c *Cache) Close() {
	c.loader.Close()
	c.entries.StopAllGoroutines()
}

// Products implements event.Catalog.
func (c *Cache) Products(ctx context.Context, refs []event.Ref) ([]event.Product, error) {
	found := make([]event.Product, len(refs))
	var missing []int
	for i, ref := range refs {
		if ref == (event.Ref{}) {
			continue
		}
		if p, ok := c.entries.GetIfPresent(ref); ok {
			found[i] = p
		} else {
			missing = append(missing, i)
		}
	}
	c.hits.Add(float64(len(refs) - len(missing)))
	return found, c.load(ctx, refs, missing, found)
}

// Reload implements event.Catalog.
func (c *Cache) Reload(ctx context.Context, refs []event.Ref) ([]event.Product, error) {
	found, all := make([]event.Product, len(refs)), make([]int, 0, len(refs))
	for i, ref := range refs {
		if ref != (event.Ref{}) {
			all = append(all, i)
		}
	}
	return found, c.load(ctx, refs, all, found)
}

// Uncached returns a catalog that asks the source for every product, for measurements.
func (c *Cache) Uncached() event.Catalog { return uncached{c} }

type uncached struct{ *Cache }

// Products implements event.Catalog.
func (u uncached) Products(ctx context.Context, refs []event.Ref) ([]event.Product, error) {
	return u.Reload(ctx, refs)
}

// CreatePlaceholders implements event.Catalog.
func (c *Cache) CreatePlaceholders(ctx context.Context, refs []event.Ref, currency string) error {
	return c.source.CreatePlaceholders(ctx, refs, currency)
}

// load looks up the missing refs in the source, each once, and fills them into found.
func (c *Cache) load(ctx context.Context, refs []event.Ref, missing []int, found []event.Product) error {
	if len(missing) == 0 {
		return nil
	}
	var unknown []event.Ref
	seen := make(map[event.Ref]struct{}, len(missing))
	for _, i := range missing {
		if _, again := seen[refs[i]]; !again {
			seen[refs[i]] = struct{}{}
			unknown = append(unknown, refs[i])
		}
	}
	c.misses.Add(float64(len(unknown)))
	loaded, err := c.loader.Load(ctx, unknown)
	if err != nil {
		return err
	}
	for _, ref := range unknown {
		if p := loaded[ref]; p.Exists() {
			c.entries.Set(ref, p)
		} else {
			c.entries.Invalidate(ref)
		}
	}
	for _, i := range missing {
		found[i] = loaded[refs[i]]
	}
	return nil
}
