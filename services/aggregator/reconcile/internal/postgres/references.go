package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Fault is a raw row, or a set of them, that contradicts another.
type Fault struct {
	Project string // its slug
	Table   string
	Day     time.Time // UTC; zero if it has none
	Key     string
	Text    string
}

// faults calls fn for each row of a query: the number of the project, the table, a day or NULL, the key and the text.
func (s Snapshot) faults(ctx context.Context, what, query string, args []any, fn func(Fault)) error {
	rows, err := s.tx.Query(ctx, `
		SELECT coalesce(p.slug, fault.project::text), fault.source, fault.day, fault.key, fault.text
		FROM (`+query+`) AS fault (project, source, day, key, text) LEFT JOIN auth.projects AS p ON p.id = fault.project
		ORDER BY 1, 2, 3, 4`, args...)
	if err != nil {
		return fmt.Errorf("check %s: %w", what, err)
	}
	var f Fault
	var day *time.Time
	_, err = pgx.ForEachRow(rows, []any{&f.Project, &f.Table, &day, &f.Key, &f.Text}, func() error {
		f.Day = time.Time{}
		if day != nil {
			f.Day = *day
		}
		fn(f)
		return nil
	})
	if err != nil {
		return fmt.Errorf("check %s: %w", what, err)
	}
	return nil
}

// MissingReferences calls fn for each of some products and names of the raw rows of a project that does not exist in it.
func (s Snapshot) MissingReferences(ctx context.Context, p Project, products []int32, names []int16, fn func(Fault)) error {
	const query = `
		SELECT $1::smallint, 'catalog.products', NULL::date, 'number ' || n, 'raw rows are about it, but the project has no such product'
		FROM unnest($2::bigint[]) AS n WHERE NOT EXISTS (SELECT FROM catalog.products AS p WHERE p.project = $1 AND p.n = n.n)
		UNION ALL
		SELECT $1, 'ingest.names', NULL, 'number ' || n, 'events have it, but the project has no such name'
		FROM unnest($3::bigint[]) AS n WHERE NOT EXISTS (SELECT FROM ingest.names AS e WHERE e.project = $1 AND e.n = n.n)`
	return s.faults(ctx, "references", query, []any{p.ID, products, names}, fn)
}

// WrongUsers calls fn for each user of raw rows who does not exist in the project, and for each user whose first_seen is not
// the time of the earliest raw row. A user who was first seen before the last day whose events were dropped may have been seen
// in a row that is gone. Rows of nobody are those of erased users. Refunds are no activity of a user, but may be earlier than anything else that is left.
func (s Snapshot) WrongUsers(ctx context.Context, p Project, fn func(Fault)) error {
	const query = `
		SELECT $1::smallint, 'ingest.users', NULL::date, coalesce(u.id, 'number ' || raw.user_n), CASE
			WHEN u.n IS NULL THEN 'raw rows are of this user, but the project has no such user'
			WHEN u.first_seen IS NULL THEN 'first_seen is missing, the earliest raw row is of ' || raw.first
			WHEN raw.first IS NULL THEN 'first_seen is ' || u.first_seen || ', but there are no raw rows'
			ELSE 'first_seen is ' || u.first_seen || ', the earliest raw row is of ' || raw.first
		END
		FROM (
			SELECT user_n, min(ts) AS first, min(ts_or_refund) AS first_or_refund
			FROM (
				SELECT user_n, min(ts) AS ts, min(ts) AS ts_or_refund FROM ingest.events WHERE project = $1 GROUP BY user_n
				UNION ALL
				SELECT user_n, min(ts), min(ts) FROM ingest.orders WHERE project = $1 GROUP BY user_n
				UNION ALL
				SELECT user_n, NULL, min(ts) FROM ingest.refunds WHERE project = $1 GROUP BY user_n
			) AS row
			WHERE user_n <> 0
			GROUP BY user_n
		) AS raw
		FULL JOIN (SELECT n, id, first_seen FROM ingest.users WHERE project = $1) AS u ON u.n = raw.user_n
		WHERE u.n IS NULL OR u.first_seen > raw.first OR (u.first_seen IS NULL AND raw.first IS NOT NULL)
			OR (u.first_seen < coalesce(raw.first_or_refund, 'infinity')
				AND u.first_seen >= coalesce((SELECT (max(day) + 1)::timestamp AT TIME ZONE 'UTC' FROM ingest.dropped_days WHERE project = $1), '-infinity'))`
	return s.faults(ctx, "users", query, []any{p.ID}, fn)
}

// IncompleteBatches calls fn for each batch whose number of rows differs from its receipt, of those of a project (empty: of
// all projects) with rows in a range of UTC days; nil means no bound. Batches whose raw events may have been dropped are left out. Receipts are kept for days and raw
// rows for months: only the days of receipts are read.
func (s Snapshot) IncompleteBatches(ctx context.Context, slug string, from, to *time.Time, fn func(Fault)) error {
	var project *int16 // a constant, so that the plan has no condition for all projects, and an index for one
	if slug != "" {
		if err := s.tx.QueryRow(ctx, `SELECT id FROM auth.projects WHERE slug = $1`, slug).Scan(&project); err != nil {
			return fmt.Errorf("look up the project: %w", err)
		}
	}
	const query = `
		WITH span AS MATERIALIZED (
			SELECT min(min_ts) AS first, max(max_ts) AS last FROM ingest.batches WHERE ($3::smallint IS NULL OR project = $3)
		), present AS (
			SELECT project, batch, count(*) AS n FROM ingest.events
			WHERE ($3::smallint IS NULL OR project = $3) AND ts >= (SELECT first FROM span) AND ts <= (SELECT last FROM span)
			GROUP BY project, batch
			UNION ALL
			SELECT o.project, o.batch, count(*) FROM ingest.orders AS o JOIN ingest.order_lines AS l ON l.project = o.project AND l.order_id = o.id
			WHERE ($3::smallint IS NULL OR o.project = $3) AND o.ts >= (SELECT first FROM span) AND o.ts <= (SELECT last FROM span)
			GROUP BY o.project, o.batch
			UNION ALL
			SELECT r.project, r.batch, count(*) FROM ingest.refunds AS r JOIN ingest.refund_lines AS l ON l.project = r.project AND l.refund_id = r.id
			WHERE ($3::smallint IS NULL OR r.project = $3) AND r.ts >= (SELECT first FROM span) AND r.ts <= (SELECT last FROM span)
			GROUP BY r.project, r.batch
		)
		SELECT b.project, 'ingest.batches', NULL::date, b.id::text,
			'the receipt says ' || b.rows || ' rows, there are ' || coalesce(present.n, 0)
		FROM ingest.batches AS b LEFT JOIN present ON present.project = b.project AND present.batch = b.id
		WHERE ($3::smallint IS NULL OR b.project = $3) AND b.rows <> coalesce(present.n, 0)
		  AND (b.rows = 0 OR b.kind <> 'events'
			OR b.min_ts >= coalesce((SELECT (max(day) + 1)::timestamp AT TIME ZONE 'UTC' FROM ingest.dropped_days AS d WHERE d.project = b.project), '-infinity'))
		  AND ($1::date IS NULL OR b.max_ts >= $1) AND ($2::date IS NULL OR b.min_ts < $2::date + 1)`
	return s.faults(ctx, "receipts", query, []any{from, to, project}, fn)
}
