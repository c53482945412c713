package postgres

import (
	"container/heap"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/internal/stats/segment"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// catalog are the products of a project over a range of days, all of them or those of a category, as the segments have them.
type catalog struct {
	tx       pgx.Tx
	query    segment.Query
	category *category // nil for all products
}

// openCatalog returns the products that a ranking orders.
func openCatalog(ctx context.Context, tx pgx.Tx, p authn.Project, q report.Ranking, totals categoryTotals) (*catalog, error) {
	c := &catalog{tx: tx, query: segment.Query{Project: p.ID, First: q.Range.From, Last: q.Range.To}}
	if q.Category == "" {
		return c, nil
	}
	var products []int32
	const members = `SELECT array_agg(n) FROM catalog.products WHERE project = $1 AND category = $2` // one row costs less than thousands
	if err := tx.QueryRow(ctx, members, p.ID, q.Category).Scan(&products); err != nil {
		return nil, fmt.Errorf("list the products of a category: %w", err)
	}
	c.category = newCategory(products, totals)
	return c, nil
}

// set returns the products of the category; nil for all.
func (c *catalog) set() *segment.Set {
	if c.category == nil {
		return nil
	}
	return c.category.Set
}

// sums returns the sums of columns by product, of the category if there is one. Of money, they are those of a currency.
func (c *catalog) sums(ctx context.Context, t *segment.Table, currency string, columns ...string) ([]*segment.Sums, error) {
	q := c.query
	q.Currency, q.Columns = currency, columns
	sums := make([]*segment.Sums, len(columns))
	for i := range sums {
		sums[i] = segment.NewSumsOf(c.set())
	}
	err := t.Each(ctx, c.tx, q, func(s segment.Stored) error {
		for i, column := range s.Columns {
			if err := sums[i].Add(s.Products, column); err != nil {
				return err
			}
		}
		return nil
	})
	return sums, err
}

// places returns at most limit places of a ranking by a counter or by money, after a given one. What has the value 0 has no place.
func (c *catalog) places(ctx context.Context, q report.Ranking, after report.Place, limit int) ([]report.Place, error) {
	top := newTopPlaces(after, limit)
	if !q.Metric.IsMoney() {
		counter, _ := q.Metric.Counter()
		sums, err := c.sums(ctx, segment.Counts, "", counter.Column())
		if err != nil {
			return nil, fmt.Errorf("rank: %w", err)
		}
		for product, value := range sums[0].All() {
			top.add(product, value)
		}
		return top.sorted(), nil
	}
	if q.Metric != report.Net {
		sums, err := c.sums(ctx, segment.Money, q.Currency, string(q.Metric))
		if err != nil {
			return nil, fmt.Errorf("rank: %w", err)
		}
		for product, value := range sums[0].All() {
			top.add(product, value)
		}
		return top.sorted(), nil
	}
	sums, err := c.sums(ctx, segment.Money, q.Currency, string(report.Gross), string(report.Refunded))
	if err != nil {
		return nil, fmt.Errorf("rank: %w", err)
	}
	for product, gross := range sums[0].All() {
		top.add(product, gross-sums[1].Of(product))
	}
	return top.sorted(), nil
}

// byRows returns at most limit products by descending number of rows: events and orders.
func (c *catalog) byRows(ctx context.Context, limit int) ([]report.Place, error) {
	sums, err := c.sums(ctx, segment.Counts, "", stats.Events.Column(), stats.Purchases.Column())
	if err != nil {
		return nil, fmt.Errorf("rank by rows: %w", err)
	}
	top := newTopPlaces(report.Place{}, limit)
	for product, events := range sums[0].All() {
		purchases := sums[1].Of(product)
		if purchases > math.MaxInt64-events {
			return nil, segment.ErrTooLarge
		}
		top.add(product, events+purchases)
	}
	return top.sorted(), nil
}

// totals returns the sum over all products.
func (c *catalog) totals(ctx context.Context) (sum report.Counts, err error) {
	err = c.eachTotal(ctx, segment.Counts, func(_ string, values []int64) error {
		for i, value := range values {
			if value > math.MaxInt64-sum.Counts[i] {
				return segment.ErrTooLarge
			}
			sum.Counts[i] += value
		}
		return nil
	})
	if err != nil {
		return sum, fmt.Errorf("totals: %w", err)
	}
	err = c.eachTotal(ctx, segment.Money, func(currency string, values []int64) error {
		return sum.Revenue.Add(currency, moneyOf(values))
	})
	if err != nil {
		return sum, fmt.Errorf("revenue of all: %w", err)
	}
	return sum, nil
}

// eachTotal calls fn with the totals of each segment that has products of the catalog, in the order of the table's columns.
func (c *catalog) eachTotal(ctx context.Context, t *segment.Table, fn func(currency string, values []int64) error) error {
	if c.category != nil {
		return c.eachTotalOfCategory(ctx, t, fn)
	}
	values := make([]int64, len(t.Columns))
	return t.Each(ctx, c.tx, c.query, func(s segment.Stored) error {
		clear(values)
		if err := segment.AddTotals(values, s.Totals); err != nil {
			return err
		}
		return fn(s.Currency, values)
	})
}

// eachTotalOfCategory is eachTotal for a category. It reads the columns of those segments only of which it does not know the totals.
func (c *catalog) eachTotalOfCategory(ctx context.Context, t *segment.Table, fn func(currency string, values []int64) error) error {
	q := c.query
	err := t.Each(ctx, c.tx, q, func(s segment.Stored) error {
		values, known := c.category.recall(t, s)
		switch {
		case !known:
			q.IDs = append(q.IDs, s.ID)
		case values != nil:
			return fn(s.Currency, values)
		}
		return nil
	})
	if err != nil || len(q.IDs) == 0 {
		return err
	}
	q.Columns = t.Columns
	return t.Each(ctx, c.tx, q, func(s segment.Stored) error {
		values, err := c.category.add(t, s)
		if err != nil || values == nil {
			return err
		}
		return fn(s.Currency, values)
	})
}

// moneyOf returns the money with values in the order of stats.MoneyColumns.
func moneyOf(values []int64) stats.Money {
	return stats.Money{GrossMinor: values[0], RefundedMinor: values[1], Orders: values[2], Units: values[3], RefundedUnits: values[4]}
}

// topPlaces keeps the best places of a ranking after a given one, the last of them at its root. It implements heap.Interface.
type topPlaces struct {
	after report.Place
	limit int
	best  []report.Place
}

func newTopPlaces(after report.Place, limit int) *topPlaces {
	return &topPlaces{after: after, limit: limit}
}

// add adds a product, unless its value is 0 or it belongs to an earlier page.
func (t *topPlaces) add(product int32, value int64) {
	place := report.Place{Key: int64(product), Value: value}
	switch {
	case value == 0 || t.after.Rank > 0 && !t.after.Before(place):
	case len(t.best) < t.limit:
		heap.Push(t, place)
	case place.Before(t.best[0]):
		t.best[0] = place
		heap.Fix(t, 0)
	}
}

// sorted returns the places in their order, with their ranks.
func (t *topPlaces) sorted() []report.Place {
	slices.SortFunc(t.best, func(a, b report.Place) int {
		if a.Before(b) {
			return -1
		}
		return 1
	})
	for i := range t.best {
		t.best[i].Rank = t.after.Rank + i + 1
	}
	return t.best
}

// Len implements heap.Interface.
func (t *topPlaces) Len() int { return len(t.best) }

// Less implements heap.Interface.
func (t *topPlaces) Less(i, j int) bool { return t.best[j].Before(t.best[i]) }

// Swap implements heap.Interface.
func (t *topPlaces) Swap(i, j int) { t.best[i], t.best[j] = t.best[j], t.best[i] }

// Push implements heap.Interface.
func (t *topPlaces) Push(place any) {
	if p, ok := place.(report.Place); ok {
		t.best = append(t.best, p)
	}
}

// Pop implements heap.Interface.
func (t *topPlaces) Pop() any {
	last := t.best[len(t.best)-1]
	t.best = t.best[:len(t.best)-1]
	return last
}
