package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// The index of trigrams says which products of a slice may have a text, and reading these products says which do. A page asks for wide slices,
// the newest first. A wide slice with too many candidates is examined in narrow ones, which cannot have many.
const (
	// wideSlice and narrowSlice are how many numbers of products are in a slice, as catalog.search_keys has them.
	wideSlice, narrowSlice = 65_536, 2_048
	// crowded is how many candidates of a wide slice are examined at most.
	crowded = 1_000
	// candidates is how many candidates of wide slices, and of narrow ones, a page examines before it ends; the last slice may have more.
	candidates = 2_000
	// mostSlices is how many wide slices a page asks for.
	mostSlices = 32
)

// bounds are the numbers of the first and last product of a page and those that follow, without the search.
type bounds struct{ newest, oldest int32 }

func boundsOf(ctx context.Context, tx pgx.Tx, page product.Page) (of bounds, err error) {
	var a arguments
	statuses := []product.Status{page.Filter.Status}
	if page.Filter.Status == "" {
		statuses = []product.Status{product.Active, product.Archived}
	}
	var ends []string
	for _, status := range statuses {
		page.Filter.Status = status
		where := strings.Join(append([]string{`project = ` + a.add(page.Filter.Project)}, passing(&a, page)...), ` AND `)
		for _, order := range []string{`-n`, `-n DESC`} {
			ends = append(ends, `(SELECT n FROM catalog.products WHERE `+where+` ORDER BY `+order+` LIMIT 1)`)
		}
	}
	statement := `SELECT coalesce(max(n), 0), coalesce(min(n), 0) FROM (` + strings.Join(ends, ` UNION ALL `) + `) AS ends`
	err = tx.QueryRow(ctx, statement, a...).Scan(&of.newest, &of.oldest)
	return of, err
}

// dense reports whether mostSlices have more products than a page looks at without the index, if the products are everywhere as dense as the
// glanced ones down to last. Where others create many more products, those of a project are in more slices than are worth it.
func (b bounds) dense(last product.Position) bool {
	each := int64(b.newest-last.N)/glanced + 1
	return mostSlices*wideSlice/each > examined
}

// bySlices returns a page of a search as the index finds it. It ends at a slice if it is not full.
func bySlices(ctx context.Context, tx pgx.Tx, page product.Page, of bounds) (items []listed, next *product.Position, err error) {
	if err := planWith(ctx, tx, "enable_bitmapscan", "enable_sort"); err != nil {
		return nil, nil, err
	}
	oldest := max(of.oldest/wideSlice, of.newest/wideSlice-mostSlices+1)
	wide, err := examine(ctx, tx, page, sliceRange{"catalog.wide_slice", of.newest / wideSlice, oldest}, crowded)
	if err != nil {
		return nil, nil, err
	}
	fitting, end := wide.fitting, wide.last*wideSlice
	if wide.crowded {
		from := min(of.newest, end+wideSlice-1) / narrowSlice
		narrow, err := examine(ctx, tx, page, sliceRange{"catalog.narrow_slice", from, max(of.oldest, end) / narrowSlice}, narrowSlice)
		if err != nil {
			return nil, nil, err
		}
		fitting, end = append(fitting, narrow.fitting...), narrow.last*narrowSlice
	}
	items, err = list(ctx, tx, `SELECT `+listedColumns+` FROM catalog.products WHERE n = ANY ($1) ORDER BY n DESC`, fitting[:min(len(fitting), page.Limit+1)])
	if err != nil {
		return nil, nil, err
	}
	if items, next = cut(items, page.Limit); next == nil && end > of.oldest {
		next = &product.Position{N: end}
	}
	return items, next, nil
}

// sliceRange is the slices with the keys that a function returns for numbers of slices, from the newest to the oldest.
type sliceRange struct {
	key            string
	newest, oldest int32
}

// examination is what is in slices.
type examination struct {
	last    int32   // the slice that was examined last
	crowded bool    // it has more candidates than may be, so it counts as not examined
	fitting []int32 // the numbers of the products that fit, newest first
}

// examine looks at the candidates of one slice after the other, until it has more products than a page, enough candidates, or a slice with
// more than most of them.
func examine(ctx context.Context, tx pgx.Tx, page product.Page, of sliceRange, most int) (found examination, err error) {
	// The slice and the trigrams are conditions of their own: the index then skips what is not in the slice.
	var a arguments
	text, project := a.add(page.Filter.Query), a.add(page.Filter.Project)
	newest, oldest := a.add(of.newest), a.add(of.oldest)
	where := strings.Join(append(passing(&a, page), fits(&a, page)), ` AND `)
	statement := `
		WITH RECURSIVE examined AS (
			SELECT ` + newest + `::integer + 1 AS slice, 0::bigint AS candidates, '{}'::integer[] AS fitting, 0 AS found, false AS crowded
			UNION ALL
			SELECT e.slice - 1, e.candidates + s.candidates, s.fitting, e.found + cardinality(s.fitting), s.candidates > ` + strconv.Itoa(most) + `
			FROM examined AS e CROSS JOIN LATERAL (
				SELECT count(*) AS candidates, coalesce(array_agg(n ORDER BY n DESC) FILTER (WHERE ` + where + `), '{}') AS fitting
				FROM (
					SELECT n, search, status, category
					FROM catalog.products
					WHERE catalog.search_keys(project, n, search) @> ARRAY[` + of.key + `(` + project + `::smallint, e.slice - 1)]
						AND catalog.search_keys(project, n, search) @> (SELECT catalog.sought_keys(lower(` + text + `::text)))
					LIMIT ` + strconv.Itoa(most+1) + `
				) AS candidate
			) AS s
			WHERE e.slice > ` + oldest + `::integer AND NOT e.crowded AND e.found <= ` + strconv.Itoa(page.Limit) + ` AND e.candidates < ` + strconv.Itoa(candidates) + `
		)
		SELECT slice, crowded, fitting FROM examined WHERE slice <= ` + newest + `::integer ORDER BY slice DESC`
	rows, err := tx.Query(ctx, statement, a...)
	if err != nil {
		return found, err
	}
	var fitting []int32
	_, err = pgx.ForEachRow(rows, []any{&found.last, &found.crowded, &fitting}, func() error {
		if !found.crowded {
			found.fitting = append(found.fitting, fitting...)
		}
		return nil
	})
	return found, err
}
