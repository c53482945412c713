package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// A search looks at the newest products first, which fills a page at once if many fit, and then asks the index of trigrams for one slice of the
// catalog after the other (slices.go). All that ends a page is how many products it has looked at, so the pages of a text are the same
// however busy the machine is.
const (
	// glanced is how many products a search looks at first.
	glanced = 1_000
	// examined is how many products a page looks at without the index. It costs about a microsecond for each.
	examined = 10_000
	// trigram is the number of bytes that a text must have so that the index finds it.
	trigram = 3
)

// search returns a page of the products that a text is in. All statements see one snapshot: the position at which the page ends is
// that of a product, or of a slice, that was examined.
func (s *Store) search(ctx context.Context, page product.Page) (items []listed, next *product.Position, err error) {
	err = postgres.InTx(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := planWith(ctx, tx, "enable_indexscan", "enable_indexonlyscan"); err != nil {
			return err
		}
		var ended bool
		if items, next, ended, err = walk(ctx, tx, page, glanced); err != nil || ended {
			return err
		}
		if len(page.Filter.Query) >= trigram {
			of, err := boundsOf(ctx, tx, page)
			if err != nil {
				return err
			}
			if of.dense(*next) {
				items, next, err = bySlices(ctx, tx, page, of)
				return err
			}
		}
		items, next, _, err = walk(ctx, tx, page, examined)
		return err
	})
	return items, next, err
}

// walk looks at products in the order of the list, and returns those that fit and the position after which the next page begins. The
// page ends when it is full or when most products have been examined. Ended reports that it is full or that nothing follows.
func walk(ctx context.Context, tx pgx.Tx, page product.Page, most int) (items []listed, next *product.Position, ended bool, err error) {
	var a arguments
	statement := `SELECT ` + listedColumns + ` FROM (` + ordered(&a, page, listedColumns+`, search`, most) + `) AS walked
		WHERE ` + fits(&a, page) + ` ORDER BY place LIMIT ` + strconv.Itoa(page.Limit+1)
	if items, err = list(ctx, tx, statement, a...); err != nil {
		return nil, nil, false, err
	}
	if items, next = cut(items, page.Limit); next != nil {
		return items, next, true, nil
	}
	a = nil
	statement = `SELECT n FROM (` + ordered(&a, page, `n`, most) + `) AS walked ORDER BY place OFFSET ` + strconv.Itoa(most-1)
	rows, err := tx.Query(ctx, statement, a...)
	if err != nil {
		return nil, nil, false, err
	}
	last, err := pgx.CollectRows(rows, pgx.RowToStructByPos[product.Position])
	if err != nil || len(last) == 0 {
		return items, nil, true, err
	}
	return items, &last[0], false, nil
}

// planWith leaves the planner only these ways to read a table for the rest of tx. What it estimates for a text that is searched for
// has little to do with how often the text occurs, and a wrong guess reads the whole catalog.
func planWith(ctx context.Context, tx pgx.Tx, ways ...string) error {
	_, err := tx.Exec(ctx, `
		SELECT set_config(way, CASE WHEN way = ANY ($1) THEN 'on' ELSE 'off' END, true)
		FROM unnest(ARRAY['enable_seqscan', 'enable_indexscan', 'enable_indexonlyscan', 'enable_bitmapscan', 'enable_sort']) AS way`, ways)
	return err
}

// fits returns the condition that a product has the text that is searched for. Postgres folds its case as it does that of products.
func fits(a *arguments, page product.Page) string {
	return `search LIKE lower(` + a.add("%"+likeEscaper.Replace(page.Filter.Query)+"%") + `::text)`
}

// likeEscaper makes a text match itself only.
var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
