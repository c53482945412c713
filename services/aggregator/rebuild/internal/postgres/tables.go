package postgres

import (
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/stats"
)

// table describes a rollup table.
type table struct {
	name   string
	key    []string // without day and lane
	values []string
}

// tables are all rollups, in the order in which a fold writes them. A swap locks them in the same order, so a swap and a
// fold cannot deadlock.
var tables = []table{
	{"product_daily_stats", []string{"product_id"}, stats.Columns()},
	{"product_type_daily_stats", []string{"product_id", "type"}, []string{"events"}},
	{"type_daily_stats", []string{"type"}, []string{"events"}},
	{"user_daily_stats", []string{"user_id"}, stats.Columns()},
	{"daily_stats", nil, stats.Columns()},
	{"product_daily_users", []string{"product_id"}, []string{"sketch"}},
	{"daily_users", nil, []string{"sketch"}},
}

// qualified lists the tables as those of a schema.
func qualified(schema string) string {
	list := make([]string, len(tables))
	for i, t := range tables {
		list[i] = schema + "." + t.name
	}
	return strings.Join(list, ", ")
}

// columns lists all columns.
func (t table) columns() []string {
	return append(append([]string{"day", "lane"}, t.key...), t.values...)
}

// equal is the condition that the rows a and b are equal in all columns.
func (t table) equal(a, b string) string {
	var conditions []string
	for _, c := range t.columns() {
		conditions = append(conditions, a+"."+c+" = "+b+"."+c)
	}
	return strings.Join(conditions, " AND ")
}

// subject selects the product and the user of a row s, whose cached answers depend on it; NULL where it has none.
func (t table) subject() string {
	product, user := "NULL::uuid", "NULL::text"
	if len(t.key) > 0 && t.key[0] == "product_id" {
		product = "s.product_id::text"
	}
	if len(t.key) > 0 && t.key[0] == "user_id" {
		user = "s.user_id"
	}
	return product + ", " + user
}
