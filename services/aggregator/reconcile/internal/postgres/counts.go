package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Counters are the columns of rollups, in the order of the arrays below. The list is repeated here, and not taken from the
// table that the fold uses, so that a mistake there is found.
var Counters = []string{"events", "views", "clicks", "add_to_carts", "purchases", "units", "revenue_minor"}

// folded selects the raw rows of day $1 (UTC, the time zone of the session) that must be in the rollups: those of batches
// that are neither pending nor failed. A pruned receipt means that the batch was folded.
const folded = `ts >= $1::date AND ts < $1::date + 1
			  AND NOT EXISTS (SELECT FROM ingest.unfolded_batches b WHERE b.id = raw.batch_id)`

// compareCounts compares all rollups of counts with a recount of day $1. It returns a row for each difference, with the
// columns of both sides as arrays, and before them one row with the number of compared rows, which names no rollup.
//
// The raw rows are read once, into what each user did with each product; every rollup is a sum of that. The key of a row
// within the day is its product, user and type, joined into one text.
const compareCounts = `
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

// Difference is a rollup row that differs from its recount.
type Difference struct {
	Rollup, Key       string
	Stored, Recounted []int64 // by the index of Counters
}

// CompareCounts calls differ for each rollup row of a day that differs from its recount. It returns how many it compared.
func (s Snapshot) CompareCounts(ctx context.Context, day time.Time, differ func(Difference) error) (compared int64, err error) {
	rows, err := s.tx.Query(ctx, compareCounts, day)
	if err != nil {
		return 0, fmt.Errorf("recount: %w", err)
	}
	var d Difference
	first := true
	_, err = pgx.ForEachRow(rows, []any{&d.Rollup, &d.Key, &d.Stored, &d.Recounted}, func() error {
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
