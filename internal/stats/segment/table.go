package segment

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/stats"
)

// BlockDays is the number of days of a merged segment with more than one. A range of days needs the segments of its blocks and of at most
// twice this many days.
const BlockDays = 8

// Table is a table of segments in the schema stats.
type Table struct {
	Name       string
	Rollup     string   // the table of rows, in the schema stats, that has the same numbers
	ByCurrency bool     // a segment has the money of one currency
	Columns    []string // the values of a product
}

var (
	// Counts are the counters of products.
	Counts = &Table{Name: "product_segments", Rollup: "product_daily_stats", Columns: stats.Columns()}
	// Money is the money of products.
	Money = &Table{Name: "product_revenue_segments", Rollup: "product_daily_revenue", ByCurrency: true, Columns: stats.MoneyColumns()}
)

// Tables are all tables of segments, in the order in which they are written and locked, after those of the rollups.
var Tables = []*Table{Counts, Money}

// Qualified lists the tables, in their order.
func Qualified() string { return "stats." + Counts.Name + ", stats." + Money.Name }

// Row is a segment as it is stored.
type Row struct {
	Segment

	Project  int16
	Merged   bool
	Days     int16
	Day      time.Time // the first day, as its date
	Currency string    // empty in a table without currencies
}

// Key returns the columns that say what a segment is of, besides the project.
func (t *Table) Key() []string {
	if t.ByCurrency {
		return []string{"day", "currency"}
	}
	return []string{"day"}
}

// Insert stores segments.
func (t *Table) Insert(ctx context.Context, tx pgx.Tx, rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	projects, merged := make([]int16, len(rows)), make([]bool, len(rows))
	days, firsts, currencies := make([]int16, len(rows)), make([]time.Time, len(rows)), make([]string, len(rows))
	blobs := make([][][]byte, 2+len(t.Columns))
	for i, row := range rows {
		projects[i], merged[i], days[i], firsts[i], currencies[i] = row.Project, row.Merged, row.Days, row.Day, row.Currency
		for column, data := range append([][]byte{row.Totals, row.Products}, row.Columns...) {
			if data == nil {
				data = []byte{} // and not NULL
			}
			blobs[column] = append(blobs[column], data)
		}
	}
	columns := []string{"project", "merged", "days", "day"}
	types := []string{"smallint", "boolean", "smallint", "date"}
	args := []any{projects, merged, days, firsts}
	if t.ByCurrency {
		columns, types, args = append(columns, "currency"), append(types, "text"), append(args, currencies)
	}
	for i, column := range append([]string{"totals", "products"}, t.Columns...) {
		columns, types, args = append(columns, column), append(types, "bytea"), append(args, blobs[i])
	}
	unnested := make([]string, len(columns))
	for i, of := range types {
		unnested[i] = "unnest($" + strconv.Itoa(i+1) + "::" + of + "[])"
	}
	_, err := tx.Exec(ctx, `INSERT INTO stats.`+t.Name+` (`+strings.Join(columns, ", ")+`) SELECT `+strings.Join(unnested, ", "), args...)
	if err != nil {
		return fmt.Errorf("insert into stats.%s: %w", t.Name, err)
	}
	return nil
}

// Derive makes the segments of some days of a project anew from the rows of the rollups: an unmerged one for each lane of a day. Nobody
// else may write either in the meantime.
func Derive(ctx context.Context, tx pgx.Tx, project int16, first, last time.Time) error {
	for _, t := range Tables {
		remove := `DELETE FROM stats.` + t.Name + ` WHERE project = $1 AND day BETWEEN $2::date - ` + strconv.Itoa(BlockDays-1) + ` AND $3 AND day + days > $2`
		if _, err := tx.Exec(ctx, remove, project, first, last); err != nil {
			return fmt.Errorf("delete segments of stats.%s: %w", t.Name, err)
		}
		rows, err := t.derived(ctx, tx, project, first, last)
		if err != nil {
			return fmt.Errorf("read stats.%s: %w", t.Rollup, err)
		}
		if err := t.Insert(ctx, tx, rows); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) derived(ctx context.Context, tx pgx.Tx, project int16, first, last time.Time) (all []Row, err error) {
	currency := "''"
	if t.ByCurrency {
		currency = "currency"
	}
	rows, err := tx.Query(ctx, `
		SELECT day, `+currency+`, lane, product, `+strings.Join(t.Columns, ", ")+`
		FROM stats.`+t.Rollup+` WHERE project = $1 AND day BETWEEN $2 AND $3
		ORDER BY 1, 2, 3, 4`, project, first, last)
	if err != nil {
		return nil, err
	}
	at := Row{Project: project, Days: 1}
	var builder *Builder
	end := func() {
		if builder != nil {
			at.Segment = builder.Segment()
			all = append(all, at)
		}
	}
	var day time.Time
	var code string
	var lane, lastLane int16
	var product int32
	values := make([]int64, len(t.Columns))
	fields := []any{&day, &code, &lane, &product}
	for i := range values {
		fields = append(fields, &values[i])
	}
	_, err = pgx.ForEachRow(rows, fields, func() error {
		if builder == nil || !day.Equal(at.Day) || code != at.Currency || lane != lastLane {
			end()
			builder, at.Day, at.Currency, lastLane = NewBuilder(len(values)), day, code, lane
		}
		return builder.Add(product, values)
	})
	end()
	return all, err
}
