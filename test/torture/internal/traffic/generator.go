// Package traffic holds the clients of a run. They send events, orders and refunds over HTTP with their own ids, and repeat each
// request until it is acknowledged. What a client sends, and in which order, is derived from the seed and the start time of
// the run.
package traffic

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/test/torture/internal/ledger"
)

// Product is a product of the catalog.
type Product struct {
	ID         uuid.UUID
	SKU        string
	PriceMinor int64
	Currency   string
}

// Request is an HTTP request and its content.
type Request struct {
	ledger.Request
	Path        string
	ContentType string
	Key         string // the Idempotency-Key, if there is one
	Body        []byte
	Twice       bool          // sent twice concurrently
	Pause       time.Duration // how long the client waits afterwards
}

const (
	users    = 40
	lateDays = 20
	// remembered is the number of past requests and events that a client can repeat.
	remembered = 50
	// bout is the number of requests after which a client starts or stops to repeat old requests and events. While it does
	// not, the platform receives only new rows, which take another code path.
	bout = 150

	maxBulk  = 60
	largest  = 1000 // the largest bulk requests
	minLarge = 250  // from here on ingest uses COPY
)

// Generator generates the requests of one client.
type Generator struct {
	random   *rand.Rand
	begin    time.Time
	products []Product
	drawn    int            // requests
	requests []Request      // sent before
	events   []encodedEvent // likewise
	// refundable are orders that were sent. A client goes on when an order is acknowledged, so a refund never comes before it.
	refundable []ledger.Order
}

// NewGenerator returns the generator of a client. begin is the start time of the run.
func NewGenerator(seed, client uint64, begin time.Time, products []Product) *Generator {
	return &Generator{random: rand.New(rand.NewPCG(seed, client)), begin: begin.UTC().Truncate(time.Millisecond), products: products} //nolint:gosec // to be repeated
}

// chance is true with a probability of n percent.
func (g *Generator) chance(n int) bool { return g.random.IntN(100) < n }

// between returns a duration from low up to high.
func (g *Generator) between(low, high time.Duration) time.Duration {
	return low + time.Duration(g.random.Int64N(int64(high-low)))
}

// Next returns the next request.
func (g *Generator) Next() Request {
	g.drawn++
	r := g.draw()
	r.Twice = g.repeats() && g.chance(10)
	r.Pause = g.between(0, 40*time.Millisecond)
	return r
}

// repeats reports whether the client is in a bout of repetitions.
func (g *Generator) repeats() bool { return g.drawn/bout%2 == 1 }

func (g *Generator) draw() Request {
	switch n := g.random.IntN(1000); {
	case n < 100 && g.repeats(): // repeats a request that was acknowledged long ago
		return g.requests[g.random.IntN(len(g.requests))]
	case n < 130:
		return g.badEvent()
	case n < 135:
		return g.Bulk(minLarge + g.random.IntN(largest-minLarge+1))
	case n < 200:
		return remember(g, &g.requests, g.order())
	case n < 240:
		if r, ok := g.refund(); ok {
			return remember(g, &g.requests, r)
		}
		return remember(g, &g.requests, g.order())
	case n < 330:
		return remember(g, &g.requests, g.purchase())
	case n < 600:
		return remember(g, &g.requests, g.Bulk(1+g.random.IntN(maxBulk)))
	default:
		return remember(g, &g.requests, g.single())
	}
}

// remember keeps an item for repetition. If there are enough, it replaces another one.
func remember[T any](g *Generator, items *[]T, item T) T {
	if len(*items) < remembered {
		*items = append(*items, item)
	} else {
		(*items)[g.random.IntN(remembered)] = item
	}
	return item
}

// identity generates an id and its time, and reports whether the time must be sent: a UUIDv7 contains it.
func (g *Generator) identity() (id uuid.UUID, ts time.Time, sendTime bool) {
	binary.BigEndian.PutUint64(id[:8], g.random.Uint64())
	binary.BigEndian.PutUint64(id[8:], g.random.Uint64())
	ts = g.begin.Add(g.when())
	version := byte(4)
	if g.chance(50) {
		version, ts = 7, ts.Truncate(time.Millisecond)
		binary.BigEndian.PutUint64(id[:8], uint64(ts.UnixMilli())<<16|uint64(id[6])<<8|uint64(id[7]))
	}
	id[6], id[8] = id[6]&0x0f|version<<4, id[8]&0x3f|0x80 // RFC 9562
	return id, ts, version == 4
}

// when generates a time: mostly a little ago, sometimes days ago, sometimes a little in the future.
func (g *Generator) when() time.Duration {
	ago := g.between(0, 30*time.Minute)
	switch {
	case g.chance(10):
		ago += time.Duration(1+g.random.IntN(lateDays)) * 24 * time.Hour
	case g.chance(5):
		ago -= 30 * time.Minute
	}
	return -ago.Truncate(time.Microsecond)
}

func (g *Generator) product() Product { return g.products[g.random.IntN(len(g.products))] }

func (g *Generator) user() string { return fmt.Sprintf("user-%d", g.random.IntN(users)) }

// name identifies a product by its id or its SKU.
func (g *Generator) name(p Product) (field, value string) {
	if g.chance(50) {
		return "sku", p.SKU
	}
	return "product_id", p.ID.String()
}
