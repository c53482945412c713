package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// source is the rollups of something: of a product, of a user or of a whole project.
type source struct {
	name  string        // of the views and tables in the schema stats: product, user or empty
	where string        // the condition that selects its rows in the project
	args  pgx.NamedArgs // of where, with the project
}

// relation returns the name of one of its relations, such as "stats.product_daily_money".
func (s source) relation(suffix string) string {
	if s.name == "" {
		return "stats." + suffix
	}
	return "stats." + s.name + "_" + suffix
}

// between returns the arguments of s with a range.
func (s source) between(first, last time.Time) pgx.NamedArgs {
	args := maps.Clone(s.args)
	args["first"], args["last"] = first, last
	return args
}

// span is a range of days or hours as the rollups have them.
type span struct {
	column, unit string // "day" and "daily", or "hour" and "hourly"
	first, last  time.Time
}

func spanOf(c report.Calendar, r report.Range, interval report.Interval) span {
	if interval != report.Hourly {
		return span{"day", "daily", r.From, r.To}
	}
	at := span{"hour", "hourly", time.Unix(0, 0).UTC(), time.Unix(-1, 0).UTC()} // no row is in it
	if hours := c.Hours(r); len(hours) > 0 {
		at.first, at.last = hours[0].Hour, hours[len(hours)-1].Hour
	}
	return at
}

func sums(columns []string) string {
	parts := make([]string, len(columns))
	for i, column := range columns {
		parts[i] = "sum(" + column + ")::bigint"
	}
	return strings.Join(parts, ", ")
}

// rows returns the days of a range, or its hours, of which anything is stored, oldest first.
func (s source) rows(ctx context.Context, tx pgx.Tx, c report.Calendar, r report.Range, interval report.Interval) ([]report.Row, error) {
	at := spanOf(c, r, interval)
	args := s.between(at.first, at.last)
	from := func(suffix string) string {
		return ` FROM ` + s.relation(suffix) + ` WHERE project = @project AND ` + s.where + ` AND ` + at.column + ` BETWEEN @first AND @last`
	}
	found := map[int64]*report.Counts{}
	of := func(t time.Time) *report.Counts {
		if found[t.Unix()] == nil {
			found[t.Unix()] = &report.Counts{}
		}
		return found[t.Unix()]
	}
	var t time.Time
	var counts stats.Counts
	rows, err := tx.Query(ctx, `SELECT `+at.column+`, `+sums(stats.Columns())+from(at.unit)+` GROUP BY 1`, args)
	if err == nil {
		_, err = pgx.ForEachRow(rows, append([]any{&t}, counts.Pointers()...), func() error {
			of(t).Counts = counts
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("counts: %w", err)
	}
	var currency string
	var money stats.Money
	rows, err = tx.Query(ctx, `SELECT `+at.column+`, currency, `+sums(stats.MoneyColumns())+from(at.unit+"_money")+` GROUP BY 1, 2`, args)
	if err == nil {
		_, err = pgx.ForEachRow(rows, append([]any{&t, &currency}, money.Pointers()...), func() error {
			return of(t).Revenue.Add(currency, money)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("revenue: %w", err)
	}
	all := make([]report.Row, 0, len(found))
	for _, unix := range slices.Sorted(maps.Keys(found)) {
		all = append(all, report.Row{At: time.Unix(unix, 0).UTC(), Counts: *found[unix]})
	}
	return all, nil
}

// sketches returns the users of the days of a range.
func (s source) sketches(ctx context.Context, tx pgx.Tx, r report.Range) (map[time.Time]*sketch.Sketch, error) {
	query := `SELECT day, sketch FROM ` + s.relation("daily_users") +
		` WHERE project = @project AND ` + s.where + ` AND day BETWEEN @first AND @last`
	return readSketches[time.Time](ctx, tx, query, s.between(r.From, r.To))
}

// readSketches runs a query that returns rows of a key and a sketch, and merges the sketches with the same key: those of
// several lanes or days.
func readSketches[K comparable](ctx context.Context, tx pgx.Tx, query string, args pgx.NamedArgs) (map[K]*sketch.Sketch, error) {
	rows, err := tx.Query(ctx, query, args)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	merged := map[K]*sketch.Sketch{}
	var key K
	var stored []byte
	_, err = pgx.ForEachRow(rows, []any{&key, &stored}, func() error {
		one := sketch.New()
		if err := one.UnmarshalBinary(stored); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		if have, ok := merged[key]; ok {
			return have.Merge(one)
		}
		merged[key] = one
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	return merged, nil
}
