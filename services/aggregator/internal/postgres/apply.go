package postgres

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/stats/segment"
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

// Qualified lists the tables, in the order in which all writers lock them. Those of segments, which only Stats has, come last.
func (t Tables) Qualified() string {
	names := make([]string, 0, len(rollup.Tables)+1)
	for _, table := range rollup.Tables {
		names = append(names, string(t)+"."+table.Name)
	}
	if t == Stats {
		names = append(names, segment.Qualified())
	}
	return strings.Join(names, ", ")
}

// Add adds deltas to the rollups of a lane. The transaction must hold the lane.
func (t Tables) Add(ctx context.Context, tx pgx.Tx, lane int16, d *rollup.Deltas) error {
	if err := d.Err(); err != nil {
		return fmt.Errorf("add up rows: %w: %w", err, errContent)
	}
	for _, table := range rollup.Tables {
		add := t.addSums
		if table.Blobs() {
			add = t.addBlobs
		}
		if err := add(ctx, tx, lane, table, d); err != nil {
			return fmt.Errorf("add to %s.%s: %w", t, table.Name, err)
		}
	}
	if t == Stats {
		return addSegments(ctx, tx, d)
	}
	return nil
}

// The rows of one statement. Its arguments exist several times until it is sent: as arrays, encoded, and in the buffer of the
// connection. A row of blobs takes up to 20 KB then, others 500 bytes.
const (
	sumsChunk  = 5000
	blobsChunk = 250
)

func (t Tables) addSums(ctx context.Context, tx pgx.Tx, lane int16, table *rollup.Table, d *rollup.Deltas) error {
	keys := newKeyArrays(table)
	values := make([][]int64, len(table.Values))
	flush := func() error {
		arguments := keys.arguments(lane)
		for _, column := range values {
			arguments = append(arguments, column)
		}
		_, err := tx.Exec(ctx, statements[t][table].upsert, arguments...)
		keys.clear()
		for i := range values {
			values[i] = values[i][:0]
		}
		return err
	}
	for key, sums := range table.SumsOf(d) {
		keys.add(key)
		for i, sum := range sums {
			values[i] = append(values[i], sum)
		}
		if len(keys.projects) == sumsChunk {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if len(keys.projects) == 0 {
		return nil
	}
	return flush()
}

// addBlobs reads the stored blobs, merges the new ones with them and writes those that have changed. No row lock is needed,
// because the transaction holds the lane.
func (t Tables) addBlobs(ctx context.Context, tx pgx.Tx, lane int16, table *rollup.Table, d *rollup.Deltas) error {
	for keys, blobs := range chunked(table.BlobsOf(d), blobsChunk) {
		if err := t.mergeBlobs(ctx, tx, lane, table, keys, blobs); err != nil {
			return err
		}
	}
	return nil
}

func (t Tables) mergeBlobs(ctx context.Context, tx pgx.Tx, lane int16, table *rollup.Table, keys []rollup.Key, blobs []rollup.Blob) error {
	wanted := newKeyArrays(table)
	for _, key := range keys {
		wanted.add(key)
	}
	rows, err := tx.Query(ctx, statements[t][table].stored, wanted.arguments(lane)...)
	if err != nil {
		return err
	}
	stored := make([][]byte, len(keys))
	var n int
	var data []byte
	if _, err := pgx.ForEachRow(rows, []any{&n, &data}, func() error {
		stored[n-1], data = data, nil
		return nil
	}); err != nil {
		return err
	}
	changed, merged := newKeyArrays(table), [][]byte{}
	for i, blob := range blobs {
		data, err := blob.Merge(stored[i])
		if err != nil {
			return fmt.Errorf("merge the users of %+v: %w: %w", keys[i], err, errContent)
		}
		if data != nil {
			changed.add(keys[i])
			merged = append(merged, data)
		}
	}
	if len(merged) == 0 {
		return nil
	}
	_, err = tx.Exec(ctx, statements[t][table].upsert, append(changed.arguments(lane), merged)...)
	return err
}

// chunked yields a sequence in chunks of at most size. A chunk is valid until the next one.
func chunked[K, V any](all iter.Seq2[K, V], size int) iter.Seq2[[]K, []V] {
	return func(yield func([]K, []V) bool) {
		var keys []K
		var values []V
		for key, value := range all {
			keys, values = append(keys, key), append(values, value)
			if len(keys) < size {
				continue
			}
			if !yield(keys, values) {
				return
			}
			keys, values = keys[:0], values[:0]
		}
		if len(keys) > 0 {
			yield(keys, values)
		}
	}
}

// statements are those that add to each table of each schema. Their arguments are the lane, an array for the project, one for
// each column of the key, and in an upsert one for each value.
var statements = map[Tables]map[*rollup.Table]struct{ upsert, stored string }{
	Stats:  statementsOf(Stats),
	Shadow: statementsOf(Shadow),
}

func statementsOf(t Tables) map[*rollup.Table]struct{ upsert, stored string } {
	all := map[*rollup.Table]struct{ upsert, stored string }{}
	for _, table := range rollup.Tables {
		all[table] = struct{ upsert, stored string }{t.upsert(table), t.stored(table)}
	}
	return all
}

// arrays lists the unnested arrays of a statement: of the project, of the key and of values of a type. They are unnested in
// a SELECT list, because in FROM Postgres would first copy each of them as a table.
func arrays(table *rollup.Table, valueType string, values ...string) (columns, unnested []string) {
	add := func(column, sqlType string) {
		columns = append(columns, column)
		unnested = append(unnested, "unnest($"+strconv.Itoa(len(columns)+1)+"::"+sqlType+"[]) AS "+column)
	}
	add("project", "smallint")
	for _, column := range table.Key {
		add(string(column), keyTypes[column])
	}
	for _, value := range values {
		add(value, valueType)
	}
	return columns, unnested
}

func (t Tables) upsert(table *rollup.Table) string {
	valueType := "bigint"
	if table.Blobs() {
		valueType = "bytea"
	}
	columns, unnested := arrays(table, valueType, table.Values...)
	target := columns[:len(columns)-len(table.Values)]
	selected := make([]string, len(columns))
	for i, column := range columns {
		selected[i] = fromArray(column)
	}
	var updates []string
	for _, value := range table.Values {
		update := value + " = excluded." + value
		if !table.Blobs() {
			update = value + " = s." + value + " + excluded." + value
		}
		updates = append(updates, update)
	}
	return `
		INSERT INTO ` + string(t) + `.` + table.Name + ` AS s (lane, ` + strings.Join(columns, ", ") + `)
		SELECT $1::smallint, ` + strings.Join(selected, ", ") + `
		FROM (SELECT ` + strings.Join(unnested, ", ") + `) AS n
		ON CONFLICT (` + strings.Join(target, ", ") + `, lane) DO UPDATE SET ` + strings.Join(updates, ", ")
}

// stored selects blobs with their numbers in the arrays, from 1.
func (t Tables) stored(table *rollup.Table) string {
	columns, unnested := arrays(table, "")
	var equal []string
	for _, column := range columns {
		equal = append(equal, "s."+column+" = "+fromArray(column))
	}
	return `
		SELECT n.i, s.` + table.Values[0] + `
		FROM (SELECT ` + strings.Join(unnested, ", ") + `, generate_series(1, cardinality($2)) AS i) AS n
		JOIN ` + string(t) + `.` + table.Name + ` AS s ON s.lane = $1 AND ` + strings.Join(equal, " AND ")
}
