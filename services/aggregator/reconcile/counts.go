package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// counts are the columns of rollups, in the order of the arrays below.
var counts = []string{"events", "views", "clicks", "add_to_carts", "purchases", "units", "revenue_minor"}

// folded selects the raw rows of day $1 (UTC, as the session's time zone is) that must be in the rollups: those of batches that are not pending.
const folded = `ts >= $1::date AND ts < $1::date + 1
			  AND NOT EXISTS (SELECT FROM ingest.batches b WHERE b.id = raw.batch_id AND b.aggregated_at IS NULL)`

// compare compares all rollups of counts with a recount of day $1: it returns the number of rows compared, and a row for
// each that differs, with the columns of both sides as arrays. The first row always comes, and names no rollup.
//
// The raw rows are read once, into what each user did with each product; every rollup is a sum of that. A rollup names a
// row within the day by product, user or both, put into one text.
const compare = `
	WITH did AS MATERIALIZED (
		SELECT product_id, user_id, CASE WHEN type NOT IN ('view', 'click', 'add_to_cart') THEN type END AS type,
			count(*) AS events, count(*) FILTER (WHERE type = 'view') AS views, count(*) FILTER (WHERE type = 'click') AS clicks,
			count(*) FILTER (WHERE type = 'add_to_cart') AS add_to_carts, 0 AS purchases, 0 AS units, 0 AS revenue_minor
		FROM ingest.events raw WHERE ` + folded + `
		GROUP BY 1, 2, 3
		UNION ALL
		SELECT product_id, user_id, NULL, 0, 0, 0, 0, count(*), sum(quantity), sum(amount_minor)
		FROM ingest.purchases raw WHERE ` + folded + `
		GROUP BY 1, 2
	), recount AS (
		SELECT CASE GROUPING(product_id, user_id, type)
				WHEN 7 THEN 'stats.daily' WHEN 3 THEN 'stats.product_daily' WHEN 5 THEN 'stats.user_daily'
				WHEN 2 THEN 'stats.product_type_daily' WHEN 6 THEN 'stats.type_daily'
			END AS rollup,
			concat_ws(' ', product_id, user_id, type) AS key,
			ARRAY[sum(events), sum(views), sum(clicks), sum(add_to_carts), sum(purchases), sum(units), sum(revenue_minor)]::bigint[] AS counts
		FROM did
		GROUP BY GROUPING SETS ((), (product_id), (user_id), (product_id, type), (type))
		HAVING count(*) > 0 AND NOT (GROUPING(type) = 0 AND type IS NULL)
	), stored AS (
		SELECT 'stats.daily' AS rollup, '' AS key, ARRAY[events, views, clicks, add_to_carts, purchases, units, revenue_minor] AS counts
		FROM stats.daily WHERE day = $1::date
		UNION ALL
		SELECT 'stats.product_daily', product_id::text, ARRAY[events, views, clicks, add_to_carts, purchases, units, revenue_minor]
		FROM stats.product_daily WHERE day = $1::date
		UNION ALL
		SELECT 'stats.user_daily', user_id, ARRAY[events, views, clicks, add_to_carts, purchases, units, revenue_minor]
		FROM stats.user_daily WHERE day = $1::date
		UNION ALL
		SELECT 'stats.product_type_daily', concat_ws(' ', product_id, type), ARRAY[events, 0, 0, 0, 0, 0, 0]
		FROM stats.product_type_daily WHERE day = $1::date
		UNION ALL
		SELECT 'stats.type_daily', type, ARRAY[events, 0, 0, 0, 0, 0, 0]
		FROM stats.type_daily WHERE day = $1::date
	), compared AS MATERIALIZED (
		SELECT rollup, key, coalesce(stored.counts, '{0,0,0,0,0,0,0}') AS stored, coalesce(recount.counts, '{0,0,0,0,0,0,0}') AS recounted
		FROM stored FULL JOIN recount USING (rollup, key)
	)
	SELECT '', '', ARRAY[count(*)], NULL FROM compared
	UNION ALL
	SELECT rollup, key, stored, recounted FROM compared WHERE stored <> recounted`

// checkCounts compares the counts of a day.
func (r *run) checkCounts(ctx context.Context, d time.Time) error {
	rows, err := r.tx.Query(ctx, compare, d)
	if err != nil {
		return fmt.Errorf("recount: %w", err)
	}
	defer rows.Close()
	var rollup, key string
	var stored, recounted []int64
	for first := true; rows.Next(); first = false {
		if err := rows.Scan(&rollup, &key, &stored, &recounted); err != nil {
			return fmt.Errorf("recount: %w", err)
		}
		if first {
			r.report.Compared += stored[0]
			continue
		}
		if err := r.differCounts(rollup, d, key, stored, recounted); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("recount: %w", err)
	}
	return nil
}

func (r *run) differCounts(rollup string, d time.Time, key string, stored, recounted []int64) error {
	var columns []string
	for i, c := range counts {
		if stored[i] != recounted[i] {
			columns = append(columns, fmt.Sprintf("%s is %d, recounted %d", c, stored[i], recounted[i]))
		}
	}
	return r.differ("%s %s %s: %s", rollup, d.Format(time.DateOnly), key, strings.Join(columns, "; "))
}
