package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/stats/segment"
)

// WrongSegments calls fn for each day of a range on which the segments of a project are not the sums of the rows of the rollups, and for
// each block that is not the sum of its days. nil means that the range has no bound there.
func (s Snapshot) WrongSegments(ctx context.Context, p Project, from, to *time.Time, fn func(Fault)) error {
	for _, t := range segment.Tables {
		if err := s.wrongDays(ctx, t, p, from, to, fn); err != nil {
			return fmt.Errorf("check stats.%s: %w", t.Name, err)
		}
		if err := s.wrongBlocks(ctx, t, p, from, to, fn); err != nil {
			return fmt.Errorf("check stats.%s: %w", t.Name, err)
		}
	}
	return nil
}

func (s Snapshot) wrongDays(ctx context.Context, t *segment.Table, p Project, from, to *time.Time, fn func(Fault)) error {
	days, err := s.dates(ctx, `
		SELECT day FROM (SELECT day FROM stats.`+t.Rollup+` WHERE project = $1 UNION SELECT day FROM stats.`+t.Name+` WHERE project = $1 AND days = 1) AS every
		WHERE ($2::date IS NULL OR day >= $2) AND ($3::date IS NULL OR day <= $3)
		ORDER BY day`, p.ID, from, to)
	if err != nil {
		return err
	}
	for _, day := range days {
		rows, err := s.rowsOf(ctx, t, p, day)
		if err != nil {
			return err
		}
		stored, err := s.segmentsOf(ctx, t, `days = 1 AND day = $2`, p, day)
		differ(t, p, day, "of the rows", rows, stored, err, fn)
	}
	return nil
}

func (s Snapshot) wrongBlocks(ctx context.Context, t *segment.Table, p Project, from, to *time.Time, fn func(Fault)) error {
	size := strconv.Itoa(segment.BlockDays)
	blocks, err := s.dates(ctx, `
		SELECT DISTINCT day FROM stats.`+t.Name+`
		WHERE project = $1 AND merged AND days = `+size+` AND ($2::date IS NULL OR day + `+size+` > $2) AND ($3::date IS NULL OR day <= $3)
		ORDER BY day`, p.ID, from, to)
	if err != nil {
		return err
	}
	for _, day := range blocks {
		days, err := s.segmentsOf(ctx, t, `merged AND days = 1 AND day BETWEEN $2::date AND $2::date + `+size+` - 1`, p, day)
		if err != nil {
			continue // the day itself is a fault
		}
		stored, err := s.segmentsOf(ctx, t, `merged AND days = `+size+` AND day = $2`, p, day)
		for currency := range days {
			if _, ok := stored[currency]; !ok {
				delete(days, currency) // a block that is not made yet
			}
		}
		differ(t, p, day, "of its days", days, stored, err, fn)
	}
	return nil
}

func (s Snapshot) dates(ctx context.Context, query string, args ...any) ([]time.Time, error) {
	rows, err := s.tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[time.Time])
}

// rowsOf returns the sums of the rows of a day, as segments would have them.
func (s Snapshot) rowsOf(ctx context.Context, t *segment.Table, p Project, day time.Time) (map[string]map[int32][]int64, error) {
	rows, err := s.tx.Query(ctx, `
		SELECT `+currencyOf(t)+`, product, `+strings.Join(t.Columns, ", ")+` FROM stats.`+t.Rollup+` WHERE project = $1 AND day = $2`, p.ID, day)
	if err != nil {
		return nil, err
	}
	found := map[string]map[int32][]int64{}
	var currency string
	var product int32
	values := make([]int64, len(t.Columns))
	fields := []any{&currency, &product}
	for i := range values {
		fields = append(fields, &values[i])
	}
	_, err = pgx.ForEachRow(rows, fields, func() error {
		add(found, currency, product, values)
		return nil
	})
	return found, err
}

func add(found map[string]map[int32][]int64, currency string, product int32, values []int64) {
	products := found[currency]
	if products == nil {
		products = map[int32][]int64{}
		found[currency] = products
	}
	sums := products[product]
	if sums == nil {
		sums = make([]int64, len(values))
		products[product] = sums
	}
	for i, value := range values {
		sums[i] += value
	}
}

func currencyOf(t *segment.Table) string {
	if t.ByCurrency {
		return "currency"
	}
	return "''"
}

// segmentsOf returns the sums of some segments of a project and a day. It fails for those that cannot be read, or whose totals are wrong.
func (s Snapshot) segmentsOf(ctx context.Context, t *segment.Table, condition string, p Project, day time.Time) (map[string]map[int32][]int64, error) {
	rows, err := s.tx.Query(ctx, `
		SELECT `+currencyOf(t)+`, totals, products, `+strings.Join(t.Columns, ", ")+` FROM stats.`+t.Name+` WHERE project = $1 AND `+condition, p.ID, day)
	if err != nil {
		return nil, err
	}
	found := map[string]map[int32][]int64{}
	var currency string
	one := segment.Segment{Columns: make([][]byte, len(t.Columns))}
	fields := []any{&currency, &one.Totals, &one.Products}
	for i := range one.Columns {
		fields = append(fields, &one.Columns[i])
	}
	var damaged error
	_, err = pgx.ForEachRow(rows, fields, func() error {
		if damaged == nil {
			damaged = addSegment(found, currency, one)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, damaged
}

// addSegment adds a segment to what was found, and compares its totals.
func addSegment(found map[string]map[int32][]int64, currency string, one segment.Segment) error {
	sums := make([]*segment.Sums, len(one.Columns))
	for i, column := range one.Columns {
		sums[i] = segment.NewSums()
		if err := sums[i].Add(one.Products, column); err != nil {
			return err //nolint:wrapcheck // it says what is damaged
		}
	}
	totals, values := make([]int64, len(sums)), make([]int64, len(sums))
	for product := range sums[0].All() {
		for i := range sums {
			values[i] = sums[i].Of(product)
			totals[i] += values[i]
		}
		add(found, currency, product, values)
	}
	said := make([]int64, len(sums))
	if err := segment.AddTotals(said, one.Totals); err != nil {
		return err //nolint:wrapcheck // likewise
	}
	if !slices.Equal(said, totals) {
		return fmt.Errorf("its totals are %v, its products have %v", said, totals)
	}
	return nil
}

// differ reports how segments differ from what they must be.
func differ(t *segment.Table, p Project, day time.Time, than string, want, stored map[string]map[int32][]int64, damaged error, fn func(Fault)) {
	fault := Fault{Project: p.Slug, Table: "stats." + t.Name, Day: day}
	if damaged != nil {
		fault.Text = "a segment cannot be read: " + damaged.Error()
		fn(fault)
		return
	}
	for currency := range union(want, stored) {
		wrong, first := 0, int32(0)
		for product := range union(want[currency], stored[currency]) {
			if slices.Equal(want[currency][product], stored[currency][product]) {
				continue
			}
			wrong++
			if first == 0 || product < first {
				first = product
			}
		}
		if wrong > 0 {
			fault.Key = currency
			fault.Text = fmt.Sprintf("%d products differ; %s of product number %d are %v, those %s are %v",
				wrong, strings.Join(t.Columns, ", "), first, stored[currency][first], than, want[currency][first])
			fn(fault)
		}
	}
}

func union[K comparable, V any](a, b map[K]V) map[K]struct{} {
	all := map[K]struct{}{}
	for key := range a {
		all[key] = struct{}{}
	}
	for key := range b {
		all[key] = struct{}{}
	}
	return all
}
