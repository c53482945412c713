package postgres

import (
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// keyTypes are the types of the arrays that key columns are sent as. Days and hours are sent as numbers, which cost less than
// dates and times.
var keyTypes = map[rollup.Column]string{
	rollup.Product: "integer", rollup.User: "bigint", rollup.Name: "smallint",
	rollup.Day: "integer", rollup.Hour: "bigint", rollup.Currency: "text", rollup.Chunk: "integer",
}

// fromArray is the value of a column in the row n of unnested arrays.
func fromArray(column string) string {
	switch rollup.Column(column) {
	case rollup.Day:
		return "'epoch'::date + n.day"
	case rollup.Hour:
		return "to_timestamp(n.hour)"
	default:
		return "n." + column
	}
}

// keyArrays are the keys of rows of a table, as arrays to be unnested.
type keyArrays struct {
	projects []int16
	columns  []keyColumn
}

// keyColumn is a column of keys. Only the array of its type is used.
type keyColumn struct {
	column rollup.Column
	short  []int16
	normal []int32
	long   []int64
	text   []string
}

func newKeyArrays(table *rollup.Table) *keyArrays {
	k := &keyArrays{columns: make([]keyColumn, len(table.Key))}
	for i, column := range table.Key {
		k.columns[i].column = column
	}
	return k
}

func (k *keyArrays) add(key rollup.Key) {
	k.projects = append(k.projects, key.Project)
	for i := range k.columns {
		c := &k.columns[i]
		switch c.column {
		case rollup.Product:
			c.normal = append(c.normal, key.Product)
		case rollup.User:
			c.long = append(c.long, key.User)
		case rollup.Name:
			c.short = append(c.short, key.Name)
		case rollup.Day:
			c.normal = append(c.normal, int32(key.At))
		case rollup.Hour:
			c.long = append(c.long, key.At)
		case rollup.Currency:
			c.text = append(c.text, string(key.Currency[:]))
		case rollup.Chunk:
			c.normal = append(c.normal, key.Chunk)
		}
	}
}

func (k *keyArrays) clear() {
	k.projects = k.projects[:0]
	for i := range k.columns {
		c := &k.columns[i]
		c.short, c.normal, c.long, c.text = c.short[:0], c.normal[:0], c.long[:0], c.text[:0]
	}
}

// arguments returns the lane and the arrays, as arguments of a statement.
func (k *keyArrays) arguments(lane int16) []any {
	arguments := []any{lane, k.projects}
	for i := range k.columns {
		switch c := &k.columns[i]; keyTypes[c.column] {
		case "smallint":
			arguments = append(arguments, c.short)
		case "integer":
			arguments = append(arguments, c.normal)
		case "bigint":
			arguments = append(arguments, c.long)
		default:
			arguments = append(arguments, c.text)
		}
	}
	return arguments
}
