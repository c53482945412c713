package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/history"
)

// query is a statement that is being put together.
type query struct {
	text string
	args []any
}

// arg adds an argument and returns the text that stands for it.
func (q *query) arg(value any) string {
	q.args = append(q.args, value)
	return "$" + strconv.Itoa(len(q.args))
}

// columns returns the select list of rawEvent. What does not pass the filter costs no more than its key.
func (q *query) columns(f eventFilter) string {
	conditions := []string{"true"}
	if len(f.users) > 0 {
		conditions = append(conditions, "e.user_n = ANY ("+q.arg(arrayOf(f.users))+"::bigint[])")
	}
	if f.product != 0 {
		conditions = append(conditions, "e.product IS NOT DISTINCT FROM "+q.arg(f.product))
	}
	if f.name != 0 {
		conditions = append(conditions, "e.name = "+q.arg(f.name))
	}
	matches := "(" + strings.Join(conditions, " AND ") + ")"
	return "e.ts, e.id, " + matches + " AS matches, e.user_n, e.product, e.name, e.batch, CASE WHEN " + matches + " THEN e.properties END AS properties"
}

// arrayOf returns an array as Postgres writes it.
func arrayOf(numbers []int64) string {
	var b strings.Builder
	for i, n := range numbers {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(n, 10))
	}
	return "{" + b.String() + "}"
}

// windowQuery returns up to rows events of a range before a position, newest first. Those of one time are in the order of their ids
// only if they are read by the primary key.
func windowQuery(f eventFilter, within history.Range, at history.Position, rows int) query {
	from, to := within.From, within.To
	if f.within.From.After(from) {
		from = f.within.From
	}
	if !f.within.To.IsZero() && f.within.To.Before(to) {
		to = f.within.To
	}
	var q query
	columns := q.columns(f)
	project := "e.project"
	if len(f.users) > 0 { // so that a plan cannot take the primary key, where rows of other users are in between
		project = "e.project + 0"
	}
	conditions := " WHERE " + project + " = " + q.arg(f.project) + " AND e.ts >= " + q.arg(from) + " AND e.ts < " + q.arg(to) +
		" AND e.ts <= " + q.arg(at.TS) + " AND (e.ts, e.id) < (" + q.arg(at.TS) + ", " + q.arg(at.ID) + "::uuid)"
	limit := " LIMIT " + q.arg(rows)
	switch {
	case f.byKey():
		q.text = "SELECT " + columns + " FROM ingest.events e" + conditions + " ORDER BY e.ts DESC, e.id DESC" + limit
	case len(f.users) == 1:
		q.text = "SELECT " + columns + " FROM ingest.events e" + conditions + " AND e.user_n = " + q.arg(f.users[0]) + " ORDER BY e.ts DESC" + limit
	case len(f.users) > 1: // the newest of each user, and then of all
		q.text = "SELECT l.* FROM unnest(" + q.arg(arrayOf(f.users)) + "::bigint[]) u(n) CROSS JOIN LATERAL (SELECT " + columns +
			" FROM ingest.events e" + conditions + " AND e.user_n = u.n ORDER BY e.ts DESC" + limit + ") l ORDER BY l.ts DESC" + limit
	default:
		q.text = "SELECT " + columns + " FROM ingest.events e" + conditions + " AND e.product = " + q.arg(f.product) + " ORDER BY e.ts DESC" + limit
	}
	return q
}

// instantQuery returns up to rows events of one time, with an id before the given one unless that is nil, by descending ids.
func instantQuery(f eventFilter, ts time.Time, before *uuid.UUID, rows int) query {
	var q query
	columns := q.columns(f)
	q.text = "SELECT " + columns + " FROM ingest.events e WHERE e.project = " + q.arg(f.project) + " AND e.ts = " + q.arg(ts)
	if before != nil {
		q.text += " AND e.id < " + q.arg(*before) + "::uuid"
	}
	q.text += " ORDER BY e.id DESC LIMIT " + q.arg(rows)
	return q
}

// partitionWeeks returns the Mondays of the weeks, newest first, that have a partition and can have rows of a range before an instant.
func (s *Store) partitionWeeks(ctx context.Context, within history.Range, before time.Time) ([]time.Time, error) {
	const query = `
		SELECT right(c.relname, 8)
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'ingest.events'::regclass
		ORDER BY 1 DESC`
	rows, err := s.pool.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read the partitions: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read the partitions: %w", err)
	}
	if !within.To.IsZero() && within.To.Before(before) {
		before = within.To
	}
	var weeks []time.Time
	for _, name := range names {
		week, err := time.Parse("20060102", name)
		if err != nil {
			return nil, fmt.Errorf("the name of a partition: %w", err)
		}
		if week.Before(before) && week.AddDate(0, 0, 7).After(within.From) {
			weeks = append(weeks, week)
		}
	}
	return weeks, nil
}
