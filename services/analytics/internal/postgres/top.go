package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

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
	top.Meta, _, err = s.report(ctx, p, q.Range, "the top products", func(tx pgx.Tx, _ report.Calendar) error {
		args := argsOf(p, q)
		c, err := openCatalog(ctx, tx, p, q, s.totals)
		if err != nil {
			return err
		}
		var places []report.Place
		switch {
		case q.Metric == report.UniqueUsers:
			places, top.Exact, err = c.byUsers(ctx, q, args)
		case q.Type != "":
			places, err = c.byType(ctx, p, q, args)
		default:
			places, err = c.places(ctx, q, q.After, q.Limit+1)
		}
		if err != nil {
			return err
		}
		places, top.Next = page(places, q.Limit)
		if top.Items, err = items(ctx, tx, places, args); err != nil {
			return err
		}
		top.Totals, err = c.totals(ctx)
		return err
	})
	return top, err
}

// byType ranks by the events of a name. A name that the project does not have ranks nothing. Names without a counter of their own are in
// no segments: their rows are few.
func (c *catalog) byType(ctx context.Context, p authn.Project, q report.Ranking, args pgx.NamedArgs) ([]report.Place, error) {
	name, err := readName(ctx, c.tx, p.ID, q.Type)
	if err != nil || name == 0 {
		return nil, err
	}
	if name < stats.FirstName {
		q.Metric = report.Metric(counterOf(name).Column())
		return c.places(ctx, q, q.After, q.Limit+1)
	}
	args["name"] = name
	return products(q.Category).places(ctx, c.tx, rule{"stats.product_name_daily_stats", "sum(r.events)", "r.name = @name"}, args, q.After, q.Limit+1)
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
func (c *catalog) byUsers(ctx context.Context, q report.Ranking, args pgx.NamedArgs) (places []report.Place, exact bool, err error) {
	wanted := q.After.Rank + q.Limit + 1
	most := maxCandidates(q.Range, q.Limit+1)
	candidates, err := c.byRows(ctx, most+1) // one more shows whether there are more
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
		users, err := readUsers(ctx, c.tx, chunk, args)
		if err != nil {
			return nil, false, err
		}
		for _, of := range chunk {
			if value := min(users[of.Key], of.Value); value > 0 {
				best = append(best, report.Place{Key: of.Key, Value: value})
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
func items(ctx context.Context, tx pgx.Tx, places []report.Place, args pgx.NamedArgs) ([]report.TopItem, error) {
	if len(places) == 0 {
		return nil, nil
	}
	users, err := readUsers(ctx, tx, places, args)
	if err != nil {
		return nil, err
	}
	counts, err := products("").counts(ctx, tx, "r.product = ANY(@keys)", args)
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
