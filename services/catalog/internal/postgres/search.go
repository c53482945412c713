package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// A search looks at products from the newest on, which fills a page at once if many fit, or asks the index of trigrams, which is
// cheap if few fit. What decides is how many of the newest fit.
const (
	// glanced is how many products a search looks at first.
	glanced = 1_000
	// rare is how many of these fit at most if the index is asked. With more, a page is probably full before all are examined.
	rare = 3
	// indexed is how many products of the index a page examines at most.
	indexed = 10_000
	// examined is how many products a page looks at in the end. It costs about a microsecond for each.
	examined = 10_000
	// patience bounds the search in the index. It only ends one whose trigrams are in most products while the text itself is in few, such as
	// one of punctuation marks beside a common word: the index does not distinguish them, so each of these products is read.
	patience = 100 * time.Millisecond
)

// trigram is the number of adjacent letters or digits that a text must have so that the index finds it.
const trigram = 3

// search returns a page of the products that a text is in. All statements see one snapshot: the position at which the page ends is
// that of a product that was examined.
func (s *Store) search(ctx context.Context, page product.Page) (items []product.Product, next *product.Position, err error) {
	err = postgres.InTx(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		var ended bool
		if items, next, ended, err = walk(ctx, tx, page, glanced); err != nil || ended {
			return err
		}
		if len(items) <= rare && hasTrigram(page.Filter.Query) {
			var complete bool
			if items, next, complete, err = lookUp(ctx, tx, page); err != nil || complete {
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
func walk(ctx context.Context, tx pgx.Tx, page product.Page, most int) (items []product.Product, next *product.Position, ended bool, err error) {
	if err := planWith(ctx, tx, "enable_indexscan", "enable_indexonlyscan"); err != nil {
		return nil, nil, false, err
	}
	var a arguments
	statement := `SELECT ` + columns + ` FROM (` + ordered(&a, page, columns+`, search`, most) + `) AS walked
		WHERE ` + fits(&a, page) + ` ORDER BY created_at DESC, id DESC LIMIT ` + strconv.Itoa(page.Limit+1)
	if items, err = many(ctx, tx, statement, a...); err != nil {
		return nil, nil, false, err
	}
	if items, next = cut(items, page.Limit); next != nil {
		return items, next, true, nil
	}
	a = nil
	statement = `SELECT created_at, id FROM (` + ordered(&a, page, `created_at, id`, most) + `) AS walked
		ORDER BY created_at DESC, id DESC OFFSET ` + strconv.Itoa(most-1)
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

// lookUp returns the page as the index of trigrams has it. Complete is false if the text is in too many products to sort them, or if its
// trigrams are.
func lookUp(ctx context.Context, tx pgx.Tx, page product.Page) (items []product.Product, next *product.Position, complete bool, err error) {
	guarded, err := tx.Begin(ctx)
	if err != nil {
		return nil, nil, false, err
	}
	found, ids, err := candidates(ctx, guarded, page)
	if err := guarded.Rollback(ctx); err != nil { // with its settings
		return nil, nil, false, err
	}
	if _, late := postgres.IsCode(err, postgres.QueryCanceled); late || err == nil && found > indexed {
		return nil, nil, false, nil
	}
	if err != nil {
		return nil, nil, false, err
	}
	items, err = many(ctx, tx, `SELECT `+columns+` FROM catalog.products WHERE id = ANY ($1) ORDER BY created_at DESC, id DESC`, ids)
	items, next = cut(items, page.Limit)
	return items, next, true, err
}

// candidates returns how many products of the project the index finds, up to one more than indexed, and the ids of the first ones of the
// page. It changes settings of tx.
func candidates(ctx context.Context, tx pgx.Tx, page product.Page) (found int, ids []uuid.UUID, err error) {
	if err := planWith(ctx, tx, "enable_bitmapscan", "enable_sort"); err != nil {
		return 0, nil, err
	}
	if _, err := tx.Exec(ctx, `SELECT set_config('statement_timeout', $1, true)`, strconv.FormatInt(patience.Milliseconds(), 10)); err != nil {
		return 0, nil, err
	}
	var a arguments
	statement := `
		WITH found AS MATERIALIZED (
			SELECT id, created_at, status, category FROM catalog.products
			WHERE project = ` + a.add(page.Filter.Project) + ` AND ` + fits(&a, page) + `
			LIMIT ` + strconv.Itoa(indexed+1) + `
		)
		SELECT (SELECT count(*) FROM found), ARRAY(
			SELECT id FROM found WHERE ` + strings.Join(append(passing(&a, page), `true`), ` AND `) + `
			ORDER BY created_at DESC, id DESC LIMIT ` + strconv.Itoa(page.Limit+1) + `)`
	err = tx.QueryRow(ctx, statement, a...).Scan(&found, &ids)
	return found, ids, err
}

// planWith leaves the planner only these ways to read a table for the rest of tx. What it estimates for a text that is searched for
// has little to do with how often the text occurs, and a wrong guess reads the whole catalog.
func planWith(ctx context.Context, tx pgx.Tx, ways ...string) error {
	_, err := tx.Exec(ctx, `
		SELECT set_config(way, CASE WHEN way = ANY ($1) THEN 'on' ELSE 'off' END, true)
		FROM unnest(ARRAY['enable_seqscan', 'enable_indexscan', 'enable_indexonlyscan', 'enable_bitmapscan', 'enable_sort']) AS way`, ways)
	return err
}

// hasTrigram reports whether a text has enough adjacent letters or digits for the index.
func hasTrigram(text string) bool {
	run := 0
	for _, r := range text {
		if run++; !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			run = 0
		}
		if run == trigram {
			return true
		}
	}
	return false
}

// fits returns the condition that a product has the text that is searched for. Postgres folds its case as it does that of products.
func fits(a *arguments, page product.Page) string {
	return `search LIKE lower(` + a.add("%"+likeEscaper.Replace(page.Filter.Query)+"%") + `::text)`
}

// likeEscaper makes a text match itself only.
var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
