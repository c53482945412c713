package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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

// ranked is a product with its counts, before its name is read.
type ranked struct {
	id     uuid.UUID
	counts report.Counts
}

// Top ranks products by a metric; ties are ranked by product id. Products with a count of 0 are left out.
func (s *Store) Top(ctx context.Context, metric report.Metric, r report.Range, limit int) (report.Top, error) {
	top := report.Top{Metric: metric, Range: r, Exact: true}
	var err error
	top.Meta, err = s.snapshot(ctx, "the top products", func(tx pgx.Tx) error {
		var rank []ranked
		var err error
		if counter, ok := metric.Counter(); ok {
			rank, err = topByCounter(ctx, tx, counter, r, limit)
		} else {
			rank, top.Exact, err = topByUsers(ctx, tx, r, limit)
		}
		if err != nil {
			return err
		}
		top.Items, err = withNames(ctx, tx, rank)
		return err
	})
	if err != nil {
		return report.Top{}, err
	}
	return top, nil
}

func topByCounter(ctx context.Context, tx pgx.Tx, counter stats.Counter, r report.Range, limit int) ([]ranked, error) {
	rank, err := readRanked(ctx, tx, "sum("+counter.Column()+")", r, limit)
	if err != nil {
		return nil, err
	}
	return rank, addUsers(ctx, tx, rank, r)
}

// topByUsers ranks by unique users without reading the sketches of every product. No product has more users than rows. So it
// goes through the products by descending number of rows, and stops when the next one has fewer rows than the last place has
// users (the threshold algorithm: Fagin, Lotem, Naor, "Optimal aggregation algorithms for middleware", 2003). It also stops
// after maxCandidates products, and then reports that the ranking may not be exact.
func topByUsers(ctx context.Context, tx pgx.Tx, r report.Range, limit int) (best []ranked, exact bool, err error) {
	most := maxCandidates(r, limit)
	candidates, err := readRanked(ctx, tx, "sum(events + purchases)", r, most+1) // one more shows whether there are more
	if err != nil {
		return nil, false, err
	}
	beyond := candidates[min(most, len(candidates)):]
	// done reports whether no product with this many rows, or fewer, belongs into the ranking.
	done := func(rows int64) bool { return len(best) == limit && best[limit-1].counts.UniqueUsers > rows }
	for chunk := range slices.Chunk(candidates[:len(candidates)-len(beyond)], userChunk) {
		if done(chunk[0].counts.Rows()) {
			return best, true, nil
		}
		if err := addUsers(ctx, tx, chunk, r); err != nil {
			return nil, false, err
		}
		best = append(best, chunk...)
		slices.SortFunc(best, func(a, b ranked) int {
			return cmp.Or(-cmp.Compare(a.counts.UniqueUsers, b.counts.UniqueUsers), slices.Compare(a.id[:], b.id[:]))
		})
		best = best[:min(limit, len(best))]
	}
	return best, len(beyond) == 0 || done(beyond[0].counts.Rows()), nil
}

// readRanked returns the products with the highest values of expression.
func readRanked(ctx context.Context, tx pgx.Tx, expression string, r report.Range, limit int) ([]ranked, error) {
	query := `
		SELECT product_id, sum(` + strings.Join(stats.Columns(), `)::bigint, sum(`) + `)::bigint
		FROM stats.product_daily_stats
		WHERE day BETWEEN $1 AND $2
		GROUP BY product_id
		HAVING ` + expression + ` > 0
		ORDER BY ` + expression + ` DESC, product_id
		LIMIT $3`
	rows, err := tx.Query(ctx, query, r.From, r.To, limit)
	if err != nil {
		return nil, fmt.Errorf("rank: %w", err)
	}
	rank, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (ranked, error) {
		var p ranked
		err := row.Scan(append([]any{&p.id}, p.counts.Pointers()...)...)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("rank: %w", err)
	}
	return rank, nil
}

// addUsers fills in the unique users of the given products.
func addUsers(ctx context.Context, tx pgx.Tx, rank []ranked, r report.Range) error {
	const query = `
		SELECT product_id, sketch
		FROM stats.product_daily_users
		WHERE product_id = ANY($1) AND day BETWEEN $2 AND $3`
	ids := make([]uuid.UUID, len(rank))
	for i, p := range rank {
		ids[i] = p.id
	}
	users, err := readSketches[uuid.UUID](ctx, tx, query, ids, r.From, r.To)
	if err != nil {
		return err
	}
	for i, p := range rank {
		if u, ok := users[p.id]; ok {
			rank[i].counts = p.counts.WithUsers(u.Estimate())
		}
	}
	return nil
}

// withNames adds names from the catalog to a ranking. Every product was in the catalog when it was counted, and products are
// archived, never deleted. A product that was deleted by hand is shown with an empty name.
func withNames(ctx context.Context, tx pgx.Tx, rank []ranked) ([]report.TopItem, error) {
	const query = `
		SELECT id, coalesce(p.sku, ''), coalesce(p.name, '')
		FROM unnest($1::uuid[]) WITH ORDINALITY AS wanted(id, place)
		LEFT JOIN catalog.products p USING (id)
		ORDER BY place`
	ids := make([]uuid.UUID, len(rank))
	for i, p := range rank {
		ids[i] = p.id
	}
	rows, err := tx.Query(ctx, query, ids)
	if err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	products, err := pgx.CollectRows(rows, pgx.RowToStructByPos[report.Product])
	if err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	items := make([]report.TopItem, len(rank))
	for i, p := range rank {
		items[i] = report.TopItem{Product: products[i], Counts: p.counts}
	}
	return items, nil
}
