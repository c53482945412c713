package client

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/tally"
)

// Days is an inclusive range of UTC days.
type Days struct{ From, To time.Time }

func (d Days) query() url.Values {
	return url.Values{"from": {d.From.Format(time.DateOnly)}, "to": {d.To.Format(time.DateOnly)}}
}

// Meta says how fresh an answer is, by the platform's clock.
type Meta struct {
	AsOf          time.Time `json:"as_of"`
	CompleteUntil time.Time `json:"complete_until"` // every write committed before is in the numbers
	PendingEvents int64     `json:"pending_events"`
	Cached        bool      `json:"cached"`
}

// ProductRef names a product in an answer.
type ProductRef struct {
	ID  string `json:"id"`
	SKU string `json:"sku"`
}

// Series are the counts of a product, day by day.
type Series struct {
	Product ProductRef   `json:"product"`
	Points  []Point      `json:"points"`
	Totals  tally.Counts `json:"totals"`
	Meta    Meta         `json:"meta"`
}

// Point is one day of a series.
type Point struct {
	Start string `json:"start"` // YYYY-MM-DD
	tally.Counts
}

// Freshness returns how fresh s is.
func (s Series) Freshness() Meta { return s.Meta }

// Series asks for the days of one product.
func (c *Client) Series(ctx context.Context, productID string, days Days) (s Series, err error) {
	query := days.query()
	query.Set("interval", "day")
	err = c.get(ctx, "/analytics/products/"+url.PathEscape(productID)+"/timeseries", query, &s)
	return s, err
}

// Top is a ranking of products, highest first.
type Top struct {
	Items []TopItem `json:"items"`
	Meta  Meta      `json:"meta"`
}

// TopItem is one place of a ranking.
type TopItem struct {
	Product ProductRef `json:"product"`
	Value   int64      `json:"value"`
}

// Freshness returns how fresh t is.
func (t Top) Freshness() Meta { return t.Meta }

// Top asks for the products with the highest counts, of the whole catalog.
func (c *Client) Top(ctx context.Context, by tally.Measure, days Days, limit int) (t Top, err error) {
	query := days.query()
	query.Set("metric", string(by))
	query.Set("limit", strconv.Itoa(limit))
	err = c.get(ctx, "/analytics/products/top", query, &t)
	return t, err
}

// Summary is what one user did.
type Summary struct {
	Totals tally.Counts `json:"totals"`
	Meta   Meta         `json:"meta"`
}

// Freshness returns how fresh s is.
func (s Summary) Freshness() Meta { return s.Meta }

// Summary asks what a user did.
func (c *Client) Summary(ctx context.Context, userID string, days Days) (s Summary, err error) {
	err = c.get(ctx, "/analytics/users/"+url.PathEscape(userID)+"/summary", days.query(), &s)
	return s, err
}
