package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// dimension is what a ranking orders: products or users.
type dimension struct {
	name   string // of the tables in the schema stats
	key    string // the number of what is ranked, of a row r
	join   string // what key needs beside r
	filter string // a further condition
}

// rule is how a ranking compares: by the sum of an expression over rows of a table that meet a condition.
type rule struct {
	table, value, where string
}

// ruleOf returns how a ranking by a counter or by money compares.
func (d dimension) ruleOf(q report.Ranking) rule {
	counts := "stats." + d.name + "_daily_stats"
	if q.Metric.IsMoney() {
		value := "sum(r." + string(q.Metric) + ")"
		if q.Metric == report.Net {
			value = "sum(r.gross_minor) - sum(r.refunded_minor)"
		}
		return rule{"stats." + d.name + "_daily_revenue", value, "r.currency = @currency"}
	}
	counter, _ := q.Metric.Counter()
	return rule{counts, "sum(r." + counter.Column() + ")", "true"}
}

// counterOf returns the counter of a name that has one.
func counterOf(name int16) stats.Counter {
	counts, _ := stats.OfEvent(name)
	for i, n := range counts {
		if stats.Counter(i) != stats.Events && n > 0 {
			return stats.Counter(i)
		}
	}
	return stats.Events
}

// places returns at most limit places of a ranking after a given one. What has the value 0 has no place.
func (d dimension) places(ctx context.Context, tx pgx.Tx, by rule, args pgx.NamedArgs, after report.Place, limit int) ([]report.Place, error) {
	query := `
		SELECT key, value
		FROM (
			SELECT ` + d.key + ` AS key, (` + by.value + `)::bigint AS value
			FROM ` + by.table + ` r ` + d.join + `
			WHERE r.project = @project AND r.day BETWEEN @first AND @last AND ` + by.where + ` AND ` + d.filter + `
			GROUP BY 1
		) AS ranked
		WHERE value <> 0 AND (@rank = 0 OR value < @value OR (value = @value AND key > @key))
		ORDER BY value DESC, key
		LIMIT @limit`
	args["rank"], args["value"], args["key"], args["limit"] = after.Rank, after.Value, after.Key, limit
	rows, err := tx.Query(ctx, query, args)
	if err != nil {
		return nil, fmt.Errorf("rank: %w", err)
	}
	var found []report.Place
	p := report.Place{Rank: after.Rank}
	_, err = pgx.ForEachRow(rows, []any{&p.Key, &p.Value}, func() error {
		p.Rank++
		found = append(found, p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("rank: %w", err)
	}
	return found, nil
}

// page cuts the places of a page, one of which shows whether there are more, to limit, and returns the last one if there are.
func page(places []report.Place, limit int) ([]report.Place, *report.Place) {
	if len(places) <= limit {
		return places, nil
	}
	return places[:limit], &places[limit-1]
}

func keysOf(places []report.Place) []int64 {
	keys := make([]int64, len(places))
	for i, p := range places {
		keys[i] = p.Key
	}
	return keys
}

// counts returns the counts and the money of the ranked. where selects their rows by primary key.
func (d dimension) counts(ctx context.Context, tx pgx.Tx, where string, args pgx.NamedArgs) (map[int64]report.Counts, error) {
	from := func(table string) string {
		return ` FROM stats.` + d.name + table + ` r ` + d.join + ` WHERE r.project = @project AND r.day BETWEEN @first AND @last AND ` + where
	}
	found := map[int64]report.Counts{}
	var key int64
	var counts stats.Counts
	rows, err := tx.Query(ctx, `SELECT `+d.key+`, `+sums(stats.Columns())+from("_daily_stats")+` GROUP BY 1`, args)
	if err == nil {
		_, err = pgx.ForEachRow(rows, append([]any{&key}, counts.Pointers()...), func() error {
			found[key] = report.Counts{Counts: counts}
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("counts: %w", err)
	}
	var currency string
	var money stats.Money
	rows, err = tx.Query(ctx, `SELECT `+d.key+`, currency, `+sums(stats.MoneyColumns())+from("_daily_revenue")+` GROUP BY 1, 2`, args)
	if err == nil {
		_, err = pgx.ForEachRow(rows, append([]any{&key, &currency}, money.Pointers()...), func() error {
			c := found[key]
			err := c.Revenue.Add(currency, money)
			found[key] = c
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("revenue: %w", err)
	}
	return found, nil
}
