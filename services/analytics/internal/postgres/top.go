package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

const (
	// userChunk is the number of products whose sketches are read at once when ranking by users.
	userChunk = 200
	// maxSketches bounds the sketches that a ranking by users merges, one for each day of a product (and lane): some 300 ms.
	maxSketches = 20_000
)

// maxCandidates is the number of products that a ranking by users compares at most.
func maxCandidates(r report.Range, limit int) int { return max(limit, maxSketches/r.Days()) }

// products returns products as what is ranked.
func products(category string) dimension {
	d := dimension{name: "product", key: "r.product", filter: "true"}
	if category != "" {
		d.filter = "r.product IN (SELECT n FROM catalog.products WHERE project = @project AND category = @category)"
	}
	return d
}

func argsOf(p authn.Project, q report.Ranking) pgx.NamedArgs {
	return pgx.NamedArgs{
		"project": p.ID, "first": q.Range.From, "last": q.Range.To, "currency": q.Currency, "category": q.Category,
	}
}

// Top returns a page of a ranking of products.
func (s *Store) Top(ctx context.Context, p authn.Project, q report.Ranking) (report.Top, error) {
	top := report.Top{Exact: true}
	var err error
	top.Meta, err = s.snapshot(ctx, p.ID, "the top products", func(tx pgx.Tx) error {
		d, args := products(q.Category), argsOf(p, q)
		var places []report.Place
		var err error
		if q.Metric == report.UniqueUsers {
			places, top.Exact, err = d.byUsers(ctx, tx, q, args)
		} else {
			places, err = d.bySum(ctx, tx, p, q, args)
		}
		if err != nil {
			return err
		}
		places, top.Next = page(places, q.Limit)
		if top.Items, err = d.items(ctx, tx, places, args); err != nil {
			return err
		}
		top.Totals, err = d.totals(ctx, tx, args)
		return err
	})
	return top, err
}

// bySum ranks by a counter, by money or by the events of a name. A name that the project does not have ranks nothing.
func (d dimension) bySum(ctx context.Context, tx pgx.Tx, p authn.Project, q report.Ranking, args pgx.NamedArgs) ([]report.Place, error) {
	var name int16
	if q.Type != "" {
		var err error
		if name, err = readName(ctx, tx, p.ID, q.Type); err != nil || name == 0 {
			return nil, err
		}
		args["name"] = name
	}
	return d.places(ctx, tx, d.ruleOf(q, name), args, q.After, q.Limit+1)
}

// readName returns the number of the name of an event in a project, 0 for an unknown one.
func readName(ctx context.Context, tx pgx.Tx, project int16, name string) (n int16, err error) {
	if n, ok := stats.NameOf(name); ok {
		return n, nil
	}
	err = tx.QueryRow(ctx, `SELECT n FROM ingest.names WHERE project = $1 AND name = $2`, project, name).Scan(&n)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

// byUsers ranks by unique users without reading the sketches of every product. No product has more users than rows. So it
// goes through the products by descending number of rows, and stops when the next one has fewer rows than the last place has
// users (the threshold algorithm: Fagin, Lotem, Naor, "Optimal aggregation algorithms for middleware", 2003). It also stops
// after maxCandidates products, and then reports that the ranking may not be exact. A later page ranks the earlier ones again.
func (d dimension) byUsers(ctx context.Context, tx pgx.Tx, q report.Ranking, args pgx.NamedArgs) (places []report.Place, exact bool, err error) {
	wanted := q.After.Rank + q.Limit + 1
	most := maxCandidates(q.Range, q.Limit+1)
	byRows := rule{"stats.product_daily_stats", "sum(r.events) + sum(r.purchases)", "true"}
	candidates, err := d.places(ctx, tx, byRows, args, report.Place{}, most+1) // one more shows whether there are more
	if err != nil {
		return nil, false, err
	}
	beyond := candidates[min(most, len(candidates)):]
	var best []report.Place
	// done reports whether no product with this many rows, or fewer, belongs into the ranking.
	done := func(rows int64) bool { return len(best) == wanted && best[wanted-1].Value > rows }
	for chunk := range slices.Chunk(candidates[:len(candidates)-len(beyond)], userChunk) {
		if done(chunk[0].Value) {
			return rankAfter(best, q.After), true, nil
		}
		users, err := readUsers(ctx, tx, chunk, args)
		if err != nil {
			return nil, false, err
		}
		for _, c := range chunk {
			if value := min(users[c.Key], c.Value); value > 0 {
				best = append(best, report.Place{Key: c.Key, Value: value})
			}
		}
		slices.SortFunc(best, func(a, b report.Place) int {
			return cmp.Or(-cmp.Compare(a.Value, b.Value), cmp.Compare(a.Key, b.Key))
		})
		best = best[:min(wanted, len(best))]
	}
	exact = len(beyond) == 0 || done(beyond[0].Value)
	return rankAfter(best, q.After), exact, nil
}

// rankAfter returns the places after a given one, with their ranks.
func rankAfter(best []report.Place, after report.Place) []report.Place {
	if after.Rank > 0 {
		best = slices.DeleteFunc(best, func(p report.Place) bool { return !after.Before(p) })
	}
	for i := range best {
		best[i].Rank = after.Rank + i + 1
	}
	return best
}

// readUsers returns the estimated users of products.
func readUsers(ctx context.Context, tx pgx.Tx, places []report.Place, args pgx.NamedArgs) (map[int64]int64, error) {
	const query = `
		SELECT product::bigint, sketch
		FROM stats.product_daily_users
		WHERE project = @project AND product = ANY(@keys) AND day BETWEEN @first AND @last`
	args["keys"] = keysOf(places)
	sketches, err := readSketches[int64](ctx, tx, query, args)
	users := map[int64]int64{}
	for key, s := range sketches {
		users[key] = s.Estimate()
	}
	return users, err
}

// items adds counts and names to places.
func (d dimension) items(ctx context.Context, tx pgx.Tx, places []report.Place, args pgx.NamedArgs) ([]report.TopItem, error) {
	if len(places) == 0 {
		return nil, nil
	}
	users, err := readUsers(ctx, tx, places, args)
	if err != nil {
		return nil, err
	}
	counts, err := d.counts(ctx, tx, "r.product = ANY(@keys)", args)
	if err != nil {
		return nil, err
	}
	named, err := readProducts(ctx, tx, args)
	if err != nil {
		return nil, err
	}
	items := make([]report.TopItem, len(places))
	for i, p := range places {
		items[i] = report.TopItem{Place: p, Product: named[p.Key], Counts: counts[p.Key].Estimated(users[p.Key])}
	}
	return items, nil
}

// readProducts returns the names of products by their numbers. Every product was in the catalog when it was counted, and
// products are archived, never deleted. A product that was deleted by hand is shown without a name.
func readProducts(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs) (map[int64]report.Product, error) {
	const query = `SELECT n, id, sku, name FROM catalog.products WHERE project = @project AND n = ANY(@keys)`
	rows, err := tx.Query(ctx, query, args)
	if err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	found := map[int64]report.Product{}
	var n int64
	var id uuid.UUID
	var p report.Product
	_, err = pgx.ForEachRow(rows, []any{&n, &id, &p.SKU, &p.Name}, func() error {
		p.ID = id
		found[n] = p
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	return found, nil
}

// totals returns the sum over all that is ranked.
func (d dimension) totals(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs) (report.Counts, error) {
	var sum report.Counts
	counts := `
		SELECT coalesce(sum(` + strings.Join(stats.Columns(), `), 0)::bigint, coalesce(sum(`) + `), 0)::bigint
		FROM stats.product_daily_stats r
		WHERE r.project = @project AND r.day BETWEEN @first AND @last AND ` + d.filter
	if err := tx.QueryRow(ctx, counts, args).Scan(sum.Pointers()...); err != nil {
		return sum, fmt.Errorf("totals: %w", err)
	}
	// The index begins with project and currency, so the currencies of the days are found first.
	money := `
		SELECT r.currency, ` + sums(stats.MoneyColumns()) + `
		FROM stats.product_daily_revenue r
		WHERE r.project = @project AND r.day BETWEEN @first AND @last AND ` + d.filter + ` AND r.currency = ANY(ARRAY(
			SELECT DISTINCT currency FROM stats.daily_revenue WHERE project = @project AND day BETWEEN @first AND @last))
		GROUP BY 1`
	rows, err := tx.Query(ctx, money, args)
	if err != nil {
		return sum, fmt.Errorf("revenue of all: %w", err)
	}
	var currency string
	var amount stats.Money
	_, err = pgx.ForEachRow(rows, append([]any{&currency}, amount.Pointers()...), func() error {
		return sum.Revenue.Add(currency, amount)
	})
	if err != nil {
		return sum, fmt.Errorf("revenue of all: %w", err)
	}
	return sum, nil
}
