package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Counters are the columns of rollups, in the order of the arrays below. The list is repeated here, and not taken from the
// table that the fold uses, so that a mistake there is found.
var Counters = []string{"events", "views", "clicks", "add_to_carts", "purchases", "units", "revenue_minor"}

// The conditions of a span: of its raw rows, and of its rollups. Raw rows are compared with instants and not with dates:
// which instant a date is depends on the session, so Postgres would plan all partitions for each span.
const (
	rawOfSpan    = `ts >= $1::timestamptz AND ts < $2::timestamptz`
	storedOfSpan = `day >= ($1::timestamptz AT TIME ZONE 'UTC')::date AND day < ($2::timestamptz AT TIME ZONE 'UTC')::date`
	dayOfRow     = `(ts AT TIME ZONE 'UTC')::date`
)

// folded selects the raw rows of a span that must be in the rollups: those of batches that are neither pending nor failed. A
// pruned receipt means that the batch was folded.
const folded = rawOfSpan + `
			  AND NOT EXISTS (SELECT FROM ingest.unfolded_batches b WHERE b.id = raw.batch_id)`

// compareCounts compares all rollups of counts with a recount of a span. It returns a row for each difference, with the
// columns of both sides as arrays, and before them one row with the number of compared rows, which names no rollup.
//
// Both sides go into one aggregation by rollup and key, which also sums the lanes of the stored rows. That costs half of a
// join of the two sides.
var compareCounts = `
	WITH both_sides AS (
		SELECT CASE GROUPING(product_id, user_id, type)
				WHEN 7 THEN 'stats.daily' WHEN 3 THEN 'stats.product_daily' WHEN 5 THEN 'stats.user_daily'
				WHEN 2 THEN 'stats.product_type_daily' WHEN 6 THEN 'stats.type_daily'
			END AS rollup, day, product_id, user_id, type, false AS stored,
			count(*) AS events, count(*) FILTER (WHERE usual = 'view') AS views,
			count(*) FILTER (WHERE usual = 'click') AS clicks,
			count(*) FILTER (WHERE usual = 'add_to_cart') AS add_to_carts,
			0::bigint AS purchases, 0::bigint AS units, 0::bigint AS revenue_minor
		FROM (
			SELECT ` + dayOfRow + ` AS day, product_id, user_id,
				CASE WHEN type IN ('view', 'click', 'add_to_cart') THEN type END AS usual,
				CASE WHEN type NOT IN ('view', 'click', 'add_to_cart') THEN type END AS type
			FROM ingest.events raw WHERE ` + folded + `
		) AS event
		GROUP BY GROUPING SETS ((day), (day, product_id), (day, user_id), (day, product_id, type), (day, type))
		HAVING count(*) > 0 AND NOT (GROUPING(type) = 0 AND type IS NULL)
		UNION ALL
		SELECT CASE GROUPING(product_id, user_id) WHEN 3 THEN 'stats.daily' WHEN 1 THEN 'stats.product_daily' WHEN 2 THEN 'stats.user_daily' END,
			day, product_id, user_id, NULL, false, 0, 0, 0, 0, count(*), sum(quantity), sum(amount_minor)::bigint
		FROM (SELECT ` + dayOfRow + ` AS day, product_id, user_id, quantity, amount_minor FROM ingest.purchases raw WHERE ` + folded + `) AS purchase
		GROUP BY GROUPING SETS ((day), (day, product_id), (day, user_id))
		HAVING count(*) > 0
		UNION ALL
		SELECT 'stats.daily', day, NULL, NULL, NULL, true, events, views, clicks, add_to_carts, purchases, units, revenue_minor
		FROM stats.daily_stats WHERE ` + storedOfSpan + `
		UNION ALL
		SELECT 'stats.product_daily', day, product_id, NULL, NULL, true, events, views, clicks, add_to_carts, purchases, units, revenue_minor
		FROM stats.product_daily_stats WHERE ` + storedOfSpan + `
		UNION ALL
		SELECT 'stats.user_daily', day, NULL, user_id, NULL, true, events, views, clicks, add_to_carts, purchases, units, revenue_minor
		FROM stats.user_daily_stats WHERE ` + storedOfSpan + `
		UNION ALL
		SELECT 'stats.product_type_daily', day, product_id, NULL, type, true, events, 0, 0, 0, 0, 0, 0
		FROM stats.product_type_daily_stats WHERE ` + storedOfSpan + `
		UNION ALL
		SELECT 'stats.type_daily', day, NULL, NULL, type, true, events, 0, 0, 0, 0, 0, 0
		FROM stats.type_daily_stats WHERE ` + storedOfSpan + `
	), compared AS MATERIALIZED (
		SELECT rollup, day, product_id, user_id, type,
			CASE WHEN ` + sums("stored") + ` <> ` + sums("NOT stored") + ` THEN ` + sums("stored") + ` END AS stored,
			CASE WHEN ` + sums("stored") + ` <> ` + sums("NOT stored") + ` THEN ` + sums("NOT stored") + ` END AS recounted
		FROM both_sides
		GROUP BY rollup, day, product_id, user_id, type
	)
	SELECT '', 'epoch'::date, '', ARRAY[count(*)], NULL FROM compared
	UNION ALL
	SELECT rollup, day, concat_ws(' ', product_id, user_id, type), stored, recounted FROM compared WHERE stored IS NOT NULL`

// sums returns an array with the sum of each counter over the rows of a condition.
func sums(condition string) string {
	each := make([]string, len(Counters))
	for i, c := range Counters {
		each[i] = "coalesce(sum(" + c + ") FILTER (WHERE " + condition + "), 0)::bigint"
	}
	return "ARRAY[" + strings.Join(each, ", ") + "]"
}

// Difference is a rollup row that differs from its recount.
type Difference struct {
	Rollup            string
	Day               time.Time
	Key               string  // within the day
	Stored, Recounted []int64 // by the index of Counters
}

// CompareCounts calls differ for each rollup row of a span that differs from its recount. It returns how many it compared.
func (s Snapshot) CompareCounts(ctx context.Context, span Span, differ func(Difference) error) (compared int64, err error) {
	rows, err := s.tx.Query(ctx, compareCounts, span.From, span.To)
	if err != nil {
		return 0, fmt.Errorf("recount: %w", err)
	}
	var d Difference
	first := true
	_, err = pgx.ForEachRow(rows, []any{&d.Rollup, &d.Day, &d.Key, &d.Stored, &d.Recounted}, func() error {
		if first {
			first, compared = false, d.Stored[0]
			return nil
		}
		return differ(d)
	})
	if err != nil {
		return 0, fmt.Errorf("recount: %w", err)
	}
	return compared, nil
}
