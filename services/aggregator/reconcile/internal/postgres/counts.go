package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// The values of rollups. The lists are repeated here, and not taken from what the fold uses, so that a mistake there is found.
var (
	counters = []string{"events", "views", "clicks", "add_to_carts", "purchases", "units"}
	money    = []string{"gross_minor", "refunded_minor", "orders", "units", "refunded_units"}
	events   = []string{"events"}
)

// rollup is a rollup of sums as it is compared: its stored rows, summed over the lanes, with a recount.
type rollup struct {
	table  string
	key    []string // besides the project
	values []string
}

// view names the rollup as readers know it.
func (r rollup) view() string {
	if name, ok := strings.CutSuffix(r.table, "_revenue"); ok {
		return name + "_money"
	}
	return strings.TrimSuffix(r.table, "_stats")
}

// rollups are the rollups of sums by the numbers that they have in compareCounts: the result of GROUPING for its grouping sets,
// and 20 more for those of money.
var rollups = map[int]rollup{
	7:  {"daily_stats", []string{"day"}, counters},
	11: {"hourly_stats", []string{"hour"}, counters},
	5:  {"product_daily_stats", []string{"day", "product"}, counters},
	9:  {"product_hourly_stats", []string{"hour", "product"}, counters},
	3:  {"user_daily_stats", []string{"day", "user_n"}, counters},
	6:  {"name_daily_stats", []string{"day", "name"}, events},
	10: {"name_hourly_stats", []string{"hour", "name"}, events},
	4:  {"product_name_daily_stats", []string{"day", "product", "name"}, events},
	27: {"daily_revenue", []string{"day", "currency"}, money},
	31: {"hourly_revenue", []string{"hour", "currency"}, money},
	25: {"product_daily_revenue", []string{"day", "product", "currency"}, money},
	29: {"product_hourly_revenue", []string{"hour", "product", "currency"}, money},
	26: {"user_daily_revenue", []string{"day", "user_n", "currency"}, money},
}

// keys are all columns that keys have, and their types.
var keys = []struct{ column, sqlType string }{
	{"day", "date"}, {"hour", "timestamptz"}, {"product", "integer"}, {"user_n", "bigint"}, {"name", "smallint"}, {"currency", "text"},
}

// stored selects the stored rows of a rollup in the form of both_sides.
func (r rollup) stored(number int) string {
	selected := make([]string, 0, len(keys)+len(counters))
	for _, key := range keys {
		value := "NULL::" + key.sqlType
		for _, column := range r.key {
			if column == key.column {
				value = column
			}
		}
		selected = append(selected, value)
	}
	for i := range counters {
		value := "0"
		if i < len(r.values) {
			value = r.values[i]
		}
		selected = append(selected, value)
	}
	condition := dailyOfSpan
	if r.key[0] == "hour" {
		condition = hourlyOfSpan
	}
	return fmt.Sprintf("SELECT %d, true, %s FROM stats.%s WHERE %s", number, strings.Join(selected, ", "), r.table, condition)
}

// ofSomebody leaves out the group of nobody, the user of the rows of erased users. It counts in sums, and is no user.
const ofSomebody = `(GROUPING(user_n) = 1 OR user_n <> 0)`

// compareCounts compares all rollups of sums with a recount of a span. It returns a row for each difference, with the values of
// both sides as arrays, and before them one row with the number of compared rows, which is of no rollup.
//
// Both sides go into one aggregation by rollup and key, which also sums the lanes of the stored rows. That costs half of a
// join of the two sides. Events are counted by hour, product and name first, which leaves fewer rows for the grouping sets.
var compareCounts = `
	WITH event AS MATERIALIZED (
		SELECT ` + dayOfRow + ` AS day, ` + hourOfRow + ` AS hour, product, user_n, name
		FROM ingest.events AS raw
		WHERE ` + rawOfSpan + ` AND ` + isNotUnfolded + `
	), line AS MATERIALIZED (
		SELECT ` + dayOfRow + ` AS day, ` + hourOfRow + ` AS hour, raw.user_n, raw.currency, raw.id, line.product, line.quantity, line.amount_minor
		FROM ingest.orders AS raw JOIN ingest.order_lines AS line ON line.project = raw.project AND line.order_id = raw.id
		WHERE ` + rawOfSpan + ` AND ` + isNotUnfolded + `
	), refunded AS MATERIALIZED (
		SELECT ` + dayOfRow + ` AS day, ` + hourOfRow + ` AS hour, raw.user_n, raw.currency, line.product, line.units, line.amount_minor
		FROM ingest.refunds AS raw JOIN ingest.refund_lines AS line ON line.project = raw.project AND line.refund_id = raw.id
		WHERE ` + rawOfSpan + ` AND ` + isNotUnfolded + `
	), both_sides (rollup, stored, day, hour, product, user_n, name, currency, v1, v2, v3, v4, v5, v6) AS (
		SELECT GROUPING(day, hour, product, name), false, day, hour, product, NULL::bigint, name, NULL::text, stats.total(n),
			CASE WHEN GROUPING(name) = 1 THEN stats.total(n) FILTER (WHERE name = 1) END,
			CASE WHEN GROUPING(name) = 1 THEN stats.total(n) FILTER (WHERE name = 2) END,
			CASE WHEN GROUPING(name) = 1 THEN stats.total(n) FILTER (WHERE name = 3) END,
			0::bigint, 0::bigint
		FROM (SELECT day, hour, product, name, count(*) AS n FROM event GROUP BY 1, 2, 3, 4) AS counted
		GROUP BY GROUPING SETS ((day), (hour), (day, product), (hour, product), (day, name), (hour, name), (day, product, name))
		HAVING count(*) > 0 AND NOT (GROUPING(product) = 0 AND product IS NULL) AND NOT (GROUPING(product, name) = 0 AND name IN (1, 2, 3))
		UNION ALL
		SELECT 3, false, day, NULL, NULL, user_n, NULL, NULL, count(*), count(*) FILTER (WHERE name = 1), count(*) FILTER (WHERE name = 2),
			count(*) FILTER (WHERE name = 3), 0, 0
		FROM event WHERE user_n <> 0 GROUP BY day, user_n
		UNION ALL
		SELECT CASE GROUPING(day, hour, product, user_n) WHEN 6 THEN 3 ELSE GROUPING(day, hour, product, user_n) END,
			false, day, hour, product, user_n, NULL, NULL, 0, 0, 0, 0, count(DISTINCT id), stats.total(quantity)
		FROM line
		GROUP BY GROUPING SETS ((day), (hour), (day, product), (hour, product), (day, user_n))
		HAVING count(*) > 0 AND ` + ofSomebody + `
		UNION ALL
		SELECT 20 + GROUPING(day, hour, product, user_n), false, day, hour, product, user_n, NULL, currency,
			stats.total(amount_minor), 0, count(DISTINCT id), stats.total(quantity), 0, 0
		FROM line
		GROUP BY GROUPING SETS ((day, currency), (hour, currency), (day, product, currency), (hour, product, currency), (day, user_n, currency))
		HAVING count(*) > 0 AND ` + ofSomebody + `
		UNION ALL
		SELECT 20 + GROUPING(day, hour, product, user_n), false, day, hour, product, user_n, NULL, currency,
			0, stats.total(amount_minor), 0, 0, stats.total(units), 0
		FROM refunded
		GROUP BY GROUPING SETS ((day, currency), (hour, currency), (day, product, currency), (hour, product, currency), (day, user_n, currency))
		HAVING count(*) > 0 AND ` + ofSomebody + `
		UNION ALL
		` + storedRollups() + `
	), compared AS MATERIALIZED (
		SELECT rollup, day, hour, product, user_n, name, currency,
			CASE WHEN ` + sums("stored") + ` <> ` + sums("NOT stored") + ` THEN ` + sums("stored") + ` END AS stored,
			CASE WHEN ` + sums("stored") + ` <> ` + sums("NOT stored") + ` THEN ` + sums("NOT stored") + ` END AS recounted
		FROM both_sides
		GROUP BY rollup, day, hour, product, user_n, name, currency
	)
	SELECT 0, 'epoch'::date, '', ARRAY[count(*)], NULL FROM compared
	UNION ALL
	SELECT rollup, coalesce(day, (hour AT TIME ZONE $4)::date),
		concat_ws(' ', to_char(hour AT TIME ZONE $4, 'HH24:MI'),
			coalesce((SELECT sku FROM catalog.products AS p WHERE p.project = $1 AND p.n = product), product::text),
			coalesce((SELECT id FROM ingest.users AS u WHERE u.project = $1 AND u.n = user_n), user_n::text),
			coalesce((SELECT e.name FROM ingest.names AS e WHERE e.project = $1 AND e.n = compared.name), compared.name::text), currency),
		stored, recounted
	FROM compared WHERE stored IS NOT NULL`

func storedRollups() string {
	var all []string
	for number, r := range rollups {
		all = append(all, r.stored(number))
	}
	return strings.Join(all, "\n\t\tUNION ALL\n\t\t")
}

// sums returns an array with the sum of each value over the rows of a condition.
func sums(condition string) string {
	each := make([]string, len(counters))
	for i := range counters {
		each[i] = fmt.Sprintf("stats.total(v%d) FILTER (WHERE %s)", i+1, condition)
	}
	return "ARRAY[" + strings.Join(each, ", ") + "]"
}

// Difference is a rollup row that differs from its recount.
type Difference struct {
	Rollup string
	Day    time.Time
	Key    string // within the day, in the customer's words
	Values []Value
}

// Value is a value that differs.
type Value struct {
	Column            string
	Stored, Recounted int64
}

// CompareCounts calls differ for each rollup row of a span that differs from its recount. It returns how many it compared.
func (s Snapshot) CompareCounts(ctx context.Context, span Span, differ func(Difference)) (compared int64, err error) {
	rows, err := s.tx.Query(ctx, compareCounts, span.arguments()...)
	if err != nil {
		return 0, fmt.Errorf("recount: %w", err)
	}
	var number int
	var d Difference
	var stored, recounted []int64
	_, err = pgx.ForEachRow(rows, []any{&number, &d.Day, &d.Key, &stored, &recounted}, func() error {
		if number == 0 {
			compared = stored[0]
			return nil
		}
		r := rollups[number]
		d.Rollup, d.Values = "stats."+r.view(), nil
		for i, column := range r.values {
			if stored[i] != recounted[i] {
				d.Values = append(d.Values, Value{column, stored[i], recounted[i]})
			}
		}
		differ(d)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("recount: %w", err)
	}
	return compared, nil
}
