package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// table describes a rollup of counts.
type table struct {
	name    string // the view that adds up its lanes
	key     string // the columns that name a row within a day, separated by commas; empty for one row a day
	columns []string
	where   string // raw events that it counts, beside those of the day
}

var counts = []string{"events", "views", "clicks", "add_to_carts", "purchases", "units", "revenue_minor"}

var tables = []table{
	{name: "stats.daily", columns: counts},
	{name: "stats.product_daily", key: "product_id", columns: counts},
	{name: "stats.user_daily", key: "user_id", columns: counts},
	{
		name: "stats.product_type_daily", key: "product_id, type", columns: []string{"events"},
		where: customTypes,
	},
	{name: "stats.type_daily", key: "type", columns: []string{"events"}, where: customTypes},
}

// customTypes selects the events whose type has no column of its own.
const customTypes = "AND type NOT IN ('view', 'click', 'add_to_cart')"

// folded selects the raw rows of day $1 (UTC, as the session's time zone is) that must be in the rollups: those of batches that are not pending.
const folded = `ts >= $1::date AND ts < $1::date + 1
			  AND NOT EXISTS (SELECT FROM ingest.batches b WHERE b.id = raw.batch_id AND b.aggregated_at IS NULL)`

// eventColumns and purchaseColumns count raw rows.
var (
	eventColumns = map[string]string{
		"events": "count(*)", "views": "count(*) FILTER (WHERE type = 'view')", "clicks": "count(*) FILTER (WHERE type = 'click')",
		"add_to_carts": "count(*) FILTER (WHERE type = 'add_to_cart')",
	}
	purchaseColumns = map[string]string{
		"purchases": "count(*)", "units": "sum(quantity)", "revenue_minor": "sum(amount_minor)",
	}
)

// query compares a rollup with a recount of day $1: it returns the number of rows compared, and a row for each that
// differs, with the columns of both sides as arrays. The first row always comes, and has no key.
func (t table) query() string {
	recount := func(source string, columns map[string]string, where string) string {
		var b strings.Builder
		b.WriteString("SELECT " + t.rawKeys())
		for _, c := range t.columns {
			expression, ok := columns[c]
			if !ok {
				expression = "0"
			}
			b.WriteString(", (" + expression + ")::bigint AS " + c)
		}
		b.WriteString(" FROM " + source + " raw WHERE " + folded + " " + where)
		if t.key != "" {
			b.WriteString(" GROUP BY " + t.key)
		}
		return b.String()
	}
	sources := recount("ingest.events", eventColumns, t.where)
	if len(t.columns) > 1 { // purchases have no type
		sources += "\n UNION ALL " + recount("ingest.purchases", purchaseColumns, "")
	}
	list := func(prefix string) string {
		names := make([]string, len(t.columns))
		for i, c := range t.columns {
			names[i] = "coalesce(" + prefix + c + ", 0)"
		}
		return "ARRAY[" + strings.Join(names, ", ") + "]::bigint[]"
	}
	sums := make([]string, len(t.columns))
	for i, c := range t.columns {
		sums[i] = "sum(" + c + ")::bigint AS " + c
	}
	return `
		WITH recount AS (
			SELECT ` + t.keys() + `, ` + strings.Join(sums, ", ") + `
			FROM (` + sources + `) AS parts GROUP BY ` + t.keys() + `
		), stored AS (
			SELECT ` + t.rawKeys() + `, ` + strings.Join(t.columns, ", ") + ` FROM ` + t.name + ` WHERE day = $1::date
		), compared AS MATERIALIZED (
			SELECT concat_ws(' ', ` + t.shownKeys() + `) AS key, ` + list("stored.") + ` AS stored, ` + list("recount.") + ` AS recounted
			FROM stored FULL JOIN recount USING (` + t.keys() + `)
		)
		SELECT '', ARRAY[count(*)], ARRAY[coalesce(sum(recounted[1]), 0)::bigint] FROM compared
		UNION ALL
		SELECT key, stored, recounted FROM compared WHERE stored IS DISTINCT FROM recounted`
}

// keys returns the key columns; a rollup of one row a day has a constant instead, which rawKeys makes.
func (t table) keys() string {
	if t.key == "" {
		return "one"
	}
	return t.key
}

func (t table) rawKeys() string {
	if t.key == "" {
		return "0 AS one"
	}
	return t.key
}

// shownKeys are the key columns as a difference names them.
func (t table) shownKeys() string {
	if t.key == "" {
		return "NULL"
	}
	return t.key
}

// checkCounts compares one rollup of a day.
func (r *run) checkCounts(ctx context.Context, t table, d time.Time) error {
	rows, err := r.tx.Query(ctx, t.query(), d)
	if err != nil {
		return fmt.Errorf("recount %s: %w", t.name, err)
	}
	defer rows.Close()
	var key string
	var stored, recounted []int64
	for first := true; rows.Next(); first = false {
		if err := rows.Scan(&key, &stored, &recounted); err != nil {
			return fmt.Errorf("recount %s: %w", t.name, err)
		}
		if first {
			r.report.Compared += stored[0]
			continue
		}
		if err := r.differCounts(t, d, key, stored, recounted); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("recount %s: %w", t.name, err)
	}
	return nil
}

func (r *run) differCounts(t table, d time.Time, key string, stored, recounted []int64) error {
	var columns []string
	for i, c := range t.columns {
		if stored[i] != recounted[i] {
			columns = append(columns, fmt.Sprintf("%s is %d, recounted %d", c, stored[i], recounted[i]))
		}
	}
	return r.differ("%s %s %s: %s", t.name, d.Format(time.DateOnly), key, strings.Join(columns, "; "))
}
