package postgres

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// Tables are the rollup tables of a schema.
type Tables string

const (
	// Stats has the rollups that readers see.
	Stats Tables = "stats"
	// Shadow has the rollups of the day that a rebuild is counting.
	Shadow Tables = "shadow"
)

// Add adds deltas to the rollups of a lane. The transaction must hold the lane.
func (t Tables) Add(ctx context.Context, tx pgx.Tx, lane int16, d *rollup.Deltas) error {
	if d.Empty() {
		return nil
	}
	if err := d.Err(); err != nil {
		return fmt.Errorf("add up rows: %w: %w", err, errContent)
	}
	for _, step := range []struct {
		what string
		run  func(context.Context, pgx.Tx, int16, *rollup.Deltas) error
	}{
		{"product days", t.addProducts},
		{"product types", t.addTypes},
		{"types", t.addDayTypes},
		{"user days", t.addUsers},
		{"days", t.addDays},
		{"users of products", t.addProductUsers},
		{"users of days", t.addDayUsers},
	} {
		if err := step.run(ctx, tx, lane, d); err != nil {
			return fmt.Errorf("add %s: %w", step.what, err)
		}
	}
	return nil
}

// countArrays holds a column of values for each counter, to be unnested.
type countArrays [len(stats.Counts{})][]int64

func columnsOf(all []*stats.Counts) *countArrays {
	var a countArrays
	for _, counts := range all {
		for i, n := range counts {
			a[i] = append(a[i], n)
		}
	}
	return &a
}

// The rows of one statement. Its arguments exist several times until it is sent: as arrays, encoded, and in the buffer of the
// connection. A row of sketches takes up to 20 KB then, others 500 bytes.
const (
	addChunk    = 5000
	sketchChunk = 250
)

// chunked passes a sequence to add, in chunks of at most size.
func chunked[K, V any](all iter.Seq2[K, V], size int, add func(keys []K, values []V) error) error {
	var keys []K
	var values []V
	for key, value := range all {
		keys, values = append(keys, key), append(values, value)
		if len(keys) < size {
			continue
		}
		if err := add(keys, values); err != nil {
			return err
		}
		keys, values = keys[:0], values[:0]
	}
	if len(keys) == 0 {
		return nil
	}
	return add(keys, values)
}

// countTable is a rollup table with a column for each counter.
type countTable struct {
	upsert map[Tables]string // adds counts to rows: its arguments are the lane, and arrays for the key and the counters
}

var (
	productCounts = newCountTable("product_daily_stats", "product_id", "uuid", "day", "date")
	userCounts    = newCountTable("user_daily_stats", "user_id", "text", "day", "date")
	dayCounts     = newCountTable("daily_stats", "day", "date")
)

// newCountTable returns a table whose primary key is the given pairs of column and type, and the lane.
func newCountTable(name string, key ...string) countTable {
	columns, arrays, target := []string{"lane"}, []string{}, []string{}
	add := func(column, sqlType string) {
		columns = append(columns, column)
		arrays = append(arrays, "$"+strconv.Itoa(len(columns))+"::"+sqlType+"[]")
	}
	for pair := range slices.Chunk(key, 2) {
		add(pair[0], pair[1])
		target = append(target, pair[0])
	}
	var sums []string
	for _, column := range stats.Columns() {
		add(column, "bigint")
		sums = append(sums, column+" = s."+column+" + excluded."+column)
	}
	t := countTable{upsert: map[Tables]string{}}
	for _, schema := range []Tables{Stats, Shadow} {
		t.upsert[schema] = `
			INSERT INTO ` + string(schema) + `.` + name + ` AS s (` + strings.Join(columns, ", ") + `)
			SELECT $1::smallint, *
			FROM unnest(` + strings.Join(arrays, ", ") + `)
			ON CONFLICT (` + strings.Join(target, ", ") + `, lane) DO UPDATE SET ` + strings.Join(sums, ", ")
	}
	return t
}

// addCounts adds counts to the rows of a table. keys are the arrays of its key columns.
func (t Tables) addCounts(ctx context.Context, tx pgx.Tx, lane int16, table countTable, counts *countArrays, keys ...any) error {
	arguments := append([]any{lane}, keys...)
	for _, values := range counts {
		arguments = append(arguments, values)
	}
	_, err := tx.Exec(ctx, table.upsert[t], arguments...)
	return err
}

func (t Tables) addProducts(ctx context.Context, tx pgx.Tx, lane int16, d *rollup.Deltas) error {
	return chunked(d.Products(), addChunk, func(keys []rollup.ProductDay, added []*stats.Counts) error {
		var products [][16]byte // pgx encodes a [16]byte in binary, and a uuid.UUID through its text
		var days []time.Time
		for _, key := range keys {
			products, days = append(products, key.ProductID), append(days, key.Day.Time())
		}
		return t.addCounts(ctx, tx, lane, productCounts, columnsOf(added), products, days)
	})
}

func (t Tables) addUsers(ctx context.Context, tx pgx.Tx, lane int16, d *rollup.Deltas) error {
	return chunked(d.Users(), addChunk, func(keys []rollup.UserDay, added []*stats.Counts) error {
		var users []string
		var days []time.Time
		for _, key := range keys {
			users, days = append(users, key.UserID), append(days, key.Day.Time())
		}
		return t.addCounts(ctx, tx, lane, userCounts, columnsOf(added), users, days)
	})
}

func (t Tables) addDays(ctx context.Context, tx pgx.Tx, lane int16, d *rollup.Deltas) error {
	return chunked(d.Days(), addChunk, func(keys []rollup.Day, added []*stats.Counts) error {
		var days []time.Time
		for _, day := range keys {
			days = append(days, day.Time())
		}
		return t.addCounts(ctx, tx, lane, dayCounts, columnsOf(added), days)
	})
}

func (t Tables) addTypes(ctx context.Context, tx pgx.Tx, lane int16, d *rollup.Deltas) error {
	upsert := `
		INSERT INTO ` + string(t) + `.product_type_daily_stats AS s (lane, product_id, day, type, events)
		SELECT $1::smallint, *
		FROM unnest($2::uuid[], $3::date[], $4::text[], $5::bigint[])
		ON CONFLICT (product_id, day, type, lane) DO UPDATE SET events = s.events + excluded.events`
	return chunked(d.Types(), addChunk, func(keys []rollup.ProductTypeDay, events []int64) error {
		var products [][16]byte // pgx encodes a [16]byte in binary, and a uuid.UUID through its text
		var days []time.Time
		var types []string
		for _, key := range keys {
			products, days, types = append(products, key.ProductID), append(days, key.Day.Time()), append(types, key.Type)
		}
		_, err := tx.Exec(ctx, upsert, lane, products, days, types, events)
		return err
	})
}

func (t Tables) addDayTypes(ctx context.Context, tx pgx.Tx, lane int16, d *rollup.Deltas) error {
	upsert := `
		INSERT INTO ` + string(t) + `.type_daily_stats AS s (lane, day, type, events)
		SELECT $1::smallint, *
		FROM unnest($2::date[], $3::text[], $4::bigint[])
		ON CONFLICT (day, type, lane) DO UPDATE SET events = s.events + excluded.events`
	return chunked(d.DayTypes(), addChunk, func(keys []rollup.TypeDay, events []int64) error {
		var days []time.Time
		var types []string
		for _, key := range keys {
			days, types = append(days, key.Day.Time()), append(types, key.Type)
		}
		_, err := tx.Exec(ctx, upsert, lane, days, types, events)
		return err
	})
}

// Sketches are read, merged and written back. No row lock is needed, because the transaction holds the lane.

func (t Tables) addProductUsers(ctx context.Context, tx pgx.Tx, lane int16, d *rollup.Deltas) error {
	return chunked(d.ProductUsers(), sketchChunk, func(keys []rollup.ProductDay, added []*sketch.Sketch) error {
		return t.mergeProductUsers(ctx, tx, lane, keys, added)
	})
}

func (t Tables) mergeProductUsers(ctx context.Context, tx pgx.Tx, lane int16, keys []rollup.ProductDay, added []*sketch.Sketch) error {
	stored := `
		SELECT product_id, day, sketch
		FROM unnest($2::uuid[], $3::date[]) AS wanted(product_id, day)
		JOIN ` + string(t) + `.product_daily_users USING (product_id, day)
		WHERE lane = $1`
	upsert := `
		INSERT INTO ` + string(t) + `.product_daily_users AS s (lane, product_id, day, sketch)
		SELECT $1::smallint, *
		FROM unnest($2::uuid[], $3::date[], $4::bytea[])
		ON CONFLICT (product_id, day, lane) DO UPDATE SET sketch = excluded.sketch`
	products, days := productDayColumns(keys)
	rows, err := tx.Query(ctx, stored, lane, products, days)
	if err != nil {
		return err
	}
	var product uuid.UUID
	var day time.Time
	var data []byte
	have := map[rollup.ProductDay][]byte{}
	_, err = pgx.ForEachRow(rows, []any{&product, &day, &data}, func() error {
		have[rollup.ProductDay{ProductID: product, Day: rollup.DayOf(day)}] = bytes.Clone(data)
		return nil
	})
	if err != nil {
		return err
	}
	changed, sketches, err := mergeSketches(keys, added, have)
	if err != nil || len(changed) == 0 {
		return err
	}
	products, days = productDayColumns(changed)
	_, err = tx.Exec(ctx, upsert, lane, products, days, sketches)
	return err
}

// productDayColumns returns keys as arrays.
func productDayColumns(keys []rollup.ProductDay) (products [][16]byte, days []time.Time) {
	for _, key := range keys { // pgx encodes a [16]byte in binary, and a uuid.UUID through its text
		products, days = append(products, key.ProductID), append(days, key.Day.Time())
	}
	return products, days
}

func (t Tables) addDayUsers(ctx context.Context, tx pgx.Tx, lane int16, d *rollup.Deltas) error {
	return chunked(d.DayUsers(), sketchChunk, func(keys []rollup.Day, added []*sketch.Sketch) error {
		return t.mergeDayUsers(ctx, tx, lane, keys, added)
	})
}

func (t Tables) mergeDayUsers(ctx context.Context, tx pgx.Tx, lane int16, keys []rollup.Day, added []*sketch.Sketch) error {
	stored := `SELECT day, sketch FROM ` + string(t) + `.daily_users WHERE lane = $1 AND day = ANY($2)`
	upsert := `
		INSERT INTO ` + string(t) + `.daily_users AS s (lane, day, sketch)
		SELECT $1::smallint, *
		FROM unnest($2::date[], $3::bytea[])
		ON CONFLICT (day, lane) DO UPDATE SET sketch = excluded.sketch`
	var days []time.Time
	for _, day := range keys {
		days = append(days, day.Time())
	}
	rows, err := tx.Query(ctx, stored, lane, days)
	if err != nil {
		return err
	}
	var day time.Time
	var data []byte
	have := map[rollup.Day][]byte{}
	_, err = pgx.ForEachRow(rows, []any{&day, &data}, func() error {
		have[rollup.DayOf(day)] = bytes.Clone(data)
		return nil
	})
	if err != nil {
		return err
	}
	changed, sketches, err := mergeSketches(keys, added, have)
	if err != nil || len(changed) == 0 {
		return err
	}
	days = days[:0]
	for _, key := range changed {
		days = append(days, key.Time())
	}
	_, err = tx.Exec(ctx, upsert, lane, days, sketches)
	return err
}

// mergeSketches merges new sketches into stored ones and returns those that have changed. On a busy day most users were
// seen before, so most sketches stay the same and need not be written.
func mergeSketches[K comparable](keys []K, added []*sketch.Sketch, stored map[K][]byte) (changed []K, data [][]byte, err error) {
	for i, key := range keys {
		users := added[i]
		before, ok := stored[key]
		if ok {
			merged := sketch.New()
			if err := merged.UnmarshalBinary(before); err != nil {
				return nil, nil, fmt.Errorf("read the stored sketch of %v: %w: %w", key, err, errContent)
			}
			if err := merged.Merge(users); err != nil {
				return nil, nil, err
			}
			users = merged
		}
		after, err := users.MarshalBinary()
		if err != nil {
			return nil, nil, err
		}
		if !ok || !bytes.Equal(before, after) {
			changed, data = append(changed, key), append(data, after)
		}
	}
	return changed, data, nil
}
