// Package products remembers products for a short time, so that events about known ones cost no query.
package products

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

const (
	// knownTTL bounds how long a change of a product goes unnoticed. With the time of a query it stays below 5 s.
	knownTTL = 4 * time.Second
	// unknownTTL bounds how long a product is still unknown after it was created.
	unknownTTL = time.Second
	// maxEntries bounds the memory: about 20 MB.
	maxEntries = 100_000
)

// Cache answers from memory what it has, and asks a catalog for the rest. It is safe for concurrent use.
type Cache struct {
	catalog event.Catalog
	entries *otter.Cache[event.Ref, entry]
	hits    prometheus.Counter
	misses  prometheus.Counter
}

// entry is a remembered answer, of an unknown product too.
type entry struct {
	product event.Product
	known   bool
}

var _ event.Catalog = (*Cache)(nil)

// New returns an empty cache in front of catalog.
func New(catalog event.Catalog, registerer prometheus.Registerer) *Cache {
	lookups := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hpa_ingest_product_lookups_total", Help: "Look-ups of products by where the answer came from.",
	}, []string{"source"})
	registerer.MustRegister(lookups)
	return &Cache{
		catalog: catalog,
		entries: otter.Must(&otter.Options[event.Ref, entry]{
			MaximumSize: maxEntries,
			ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[event.Ref, entry]) time.Duration {
				if e.Value.known {
					return knownTTL
				}
				return unknownTTL
			}),
		}),
		hits:   lookups.WithLabelValues("process"),
		misses: lookups.WithLabelValues("postgres"),
	}
}

// Close ends the cache's own goroutine, which removes what has expired.
func (c *Cache) Close() { c.entries.StopAllGoroutines() }

// Products implements event.Catalog, with at most one query. refs must be distinct.
func (c *Cache) Products(ctx context.Context, refs []event.Ref) (map[event.Ref]event.Product, error) {
	found := make(map[event.Ref]event.Product, len(refs))
	var missing []event.Ref
	for _, ref := range refs {
		if e, ok := c.entries.GetIfPresent(ref); !ok {
			missing = append(missing, ref)
		} else if e.known {
			found[ref] = e.product
		}
	}
	c.hits.Add(float64(len(refs) - len(missing)))
	if len(missing) == 0 {
		return found, nil
	}
	c.misses.Add(float64(len(missing)))
	loaded, err := c.catalog.Products(ctx, missing)
	if err != nil {
		return nil, err
	}
	for _, ref := range missing {
		product, known := loaded[ref]
		if known {
			found[ref] = product
		}
		c.entries.Set(ref, entry{product: product, known: known})
	}
	return found, nil
}
