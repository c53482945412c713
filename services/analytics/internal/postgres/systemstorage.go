package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Table is what a table needs with its indexes and partitions.
type Table struct {
	Name  string
	Bytes int64
	Rows  int64 // about
}

// Day has the events of all projects on a day, and about what their raw rows need.
type Day struct {
	Day           time.Time
	Events, Bytes int64
}

// readStorage reads what the database needs, by table and by day.
func (s *System) readStorage(ctx context.Context, tx pgx.Tx) (err error) {
	const tables = `
		SELECT coalesce(i.inhparent, c.oid)::regclass::text, sum(pg_total_relation_size(c.oid))::bigint, sum(greatest(c.reltuples, 0))::bigint
		FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
		WHERE c.relkind = 'r' AND n.nspname IN ('auth', 'audit', 'catalog', 'ingest', 'stats', 'shadow')
		GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $1`
	if s.Tables, err = collect[Table](ctx, tx, tables); err != nil {
		return err
	}
	const days = `
		WITH raw AS (
			SELECT sum(pg_total_relation_size(c.oid)) / nullif(sum(greatest(c.reltuples, 0)), 0) AS bytes
			FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = 'ingest.events'::regclass
		)
		SELECT day, sum(events)::bigint, coalesce(sum(events) * (SELECT bytes FROM raw), 0)::bigint
		FROM stats.daily WHERE day > (now() AT TIME ZONE 'UTC')::date - 30
		GROUP BY day ORDER BY day DESC LIMIT 30`
	rows, _ := tx.Query(ctx, days) // CollectRows returns its error
	s.Days, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Day])
	return err
}
