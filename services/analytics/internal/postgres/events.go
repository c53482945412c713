package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// EventNames returns a page of the names of events of a project.
func (s *Store) EventNames(ctx context.Context, p authn.Project, q report.Ranking) (names report.EventNames, err error) {
	names.Meta, _, err = s.report(ctx, p, q.Range, "the names of events", func(tx pgx.Tx, _ report.Calendar) error {
		if names.Items, err = readEventNames(ctx, tx, p, q); err != nil {
			return err
		}
		if len(names.Items) > q.Limit {
			names.Items = names.Items[:q.Limit]
			names.Next = &names.Items[q.Limit-1].Place
		}
		return addEventUsers(ctx, tx, p, q, names.Items)
	})
	return names, err
}

// readEventNames returns one name more than the limit of q, if there are more. It reads the rows of each name by primary key.
func readEventNames(ctx context.Context, tx pgx.Tx, p authn.Project, q report.Ranking) (items []report.EventName, err error) {
	const query = `
		SELECT n, name, events
		FROM (
			SELECT n, name FROM ingest.names WHERE project = @project AND n >= @first_name
			UNION ALL
			SELECT * FROM unnest(@counted::smallint[], @counted_names::text[])
		) AS known (n, name)
		CROSS JOIN LATERAL (
			SELECT sum(events)::bigint AS events
			FROM stats.name_daily_stats s
			WHERE s.project = @project AND s.name = known.n AND s.day BETWEEN @first AND @last
		) AS counted
		WHERE events > 0 AND (@rank = 0 OR events < @value OR (events = @value AND n > @key))
		ORDER BY events DESC, n
		LIMIT @limit`
	var counted []stats.Name
	countedNames := []string{"view", "click", "add_to_cart"}
	for _, name := range countedNames {
		n, _ := stats.NameOf(name)
		counted = append(counted, n)
	}
	rows, err := tx.Query(ctx, query, pgx.NamedArgs{
		"project": p.ID, "first": q.Range.From, "last": q.Range.To, "first_name": stats.FirstName,
		"counted": counted, "counted_names": countedNames,
		"rank": q.After.Rank, "value": q.After.Value, "key": q.After.Key, "limit": q.Limit + 1,
	})
	if err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	item := report.EventName{Place: report.Place{Rank: q.After.Rank}}
	_, err = pgx.ForEachRow(rows, []any{&item.Place.Key, &item.Name, &item.Place.Value}, func() error {
		item.Place.Rank++
		items = append(items, item)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	return items, nil
}

// addEventUsers adds the estimated users of names.
func addEventUsers(ctx context.Context, tx pgx.Tx, p authn.Project, q report.Ranking, items []report.EventName) error {
	const query = `
		SELECT name::bigint, sketch
		FROM stats.name_daily_users
		WHERE project = @project AND name = ANY(@keys) AND day BETWEEN @first AND @last`
	keys := make([]int64, len(items))
	for i, item := range items {
		keys[i] = item.Place.Key
	}
	users, err := readSketches[int64](ctx, tx, query, pgx.NamedArgs{"project": p.ID, "keys": keys, "first": q.Range.From, "last": q.Range.To})
	if err != nil {
		return err
	}
	for i, item := range items {
		items[i].Users.Known = true
		if s, ok := users[item.Place.Key]; ok {
			items[i].Users.Number = min(s.Estimate(), item.Place.Value)
		}
	}
	return nil
}

// EventSeries returns the events of a name over time. There are none of a name that the project does not have.
func (s *Store) EventSeries(ctx context.Context, p authn.Project, name string, r report.Range, interval report.Interval) (report.EventSeries, error) {
	answer := report.EventSeries{Name: name}
	var stored report.Stored
	var err error
	var c report.Calendar
	answer.Meta, c, err = s.report(ctx, p, r, "the series of an event", func(tx pgx.Tx, c report.Calendar) error {
		n, err := readName(ctx, tx, p.ID, name)
		if err != nil || n == 0 {
			return err
		}
		of := source{name: "name", where: "name = @key", args: pgx.NamedArgs{"project": p.ID, "key": n}}
		if stored.Rows, err = of.events(ctx, tx, c, r, interval); err != nil {
			return err
		}
		stored.Sketches, err = of.sketches(ctx, tx, r)
		return err
	})
	if err == nil {
		answer.Series, err = report.NewSeries(c, r, interval, stored, answer.Meta.CompleteUntil)
	}
	return answer, err
}

// events returns the days of a range, or its hours, of which events are stored, oldest first. Rollups of names count nothing else.
func (s source) events(ctx context.Context, tx pgx.Tx, c report.Calendar, r report.Range, interval report.Interval) (all []report.Row, err error) {
	at := spanOf(c, r, interval)
	query := `SELECT ` + at.column + `, events FROM ` + s.relation(at.unit) +
		` WHERE project = @project AND ` + s.where + ` AND ` + at.column + ` BETWEEN @first AND @last ORDER BY 1`
	rows, err := tx.Query(ctx, query, s.between(at.first, at.last))
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	var t time.Time
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&t, &n}, func() error {
		all = append(all, report.Row{At: t.UTC(), Counts: report.Counts{Counts: stats.Counts{stats.Events: n}}})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	return all, nil
}
