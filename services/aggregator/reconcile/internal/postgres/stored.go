package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/recount"
)

// Sums calls fn for the stored rows of a rollup of sums in a part of a span, each of a lane. The values are valid until fn
// returns.
func (s Snapshot) Sums(ctx context.Context, span Span, rollup recount.Rollup, fn func(recount.Key, *recount.Values) error) error {
	at, from, to := "day", any(span.Day), any(span.End)
	if rollup.Hourly {
		at, from, to = "hour", span.From, span.To
	}
	columns := append([]string{at}, keyColumns(rollup.Subject, rollup.Of)...)
	columns = append(columns, rollup.Values...)
	query := `SELECT ` + strings.Join(columns, ", ") + ` FROM stats.` + rollup.Table + storedOf(at) + span.ofSubject(rollup.Subject)
	var sums recount.Values
	first := len(columns) - len(rollup.Values)
	err := s.each(ctx, query, span.arguments(from, to), func(row values) error {
		key := keyOf(row, rollup.Subject, rollup.Of)
		if rollup.Hourly {
			key.At = row.int64(0)
		} else {
			key.At = int64(row.date(0))
		}
		for i := range rollup.Values {
			sums[i] = row.int64(first + i)
		}
		return fn(key, &sums)
	})
	if err != nil {
		return fmt.Errorf("read stats.%s: %w", rollup.Table, err)
	}
	return nil
}

// Sketches calls fn for the stored sketches of a rollup in a part of a span, each of a lane. The sketch is valid until fn returns.
func (s Snapshot) Sketches(ctx context.Context, span Span, rollup recount.Sketches, fn func(recount.Key, []byte) error) error {
	columns := append(append([]string{"day"}, keyColumns(rollup.Subject, rollup.Of)...), "sketch")
	query := `SELECT ` + strings.Join(columns, ", ") + ` FROM stats.` + rollup.Table + storedOf("day") + span.ofSubject(rollup.Subject)
	err := s.each(ctx, query, span.arguments(span.Day, span.End), func(row values) error {
		key := keyOf(row, rollup.Subject, rollup.Of)
		key.At = int64(row.date(0))
		return fn(key, row[len(columns)-1])
	})
	if err != nil {
		return fmt.Errorf("read stats.%s: %w", rollup.Table, err)
	}
	return nil
}

// Sets calls fn for the stored sets of users of a span, each of a chunk and a lane. The set is valid until fn returns.
func (s Snapshot) Sets(ctx context.Context, span Span, fn func(day recount.Date, chunk int32, set []byte) error) error {
	query := `SELECT day, chunk, users FROM stats.daily_user_sets` + storedOf("day")
	err := s.each(ctx, query, []any{span.Project.ID, span.Day, span.End}, func(row values) error {
		return fn(row.date(0), row.int32(1), row[2])
	})
	if err != nil {
		return fmt.Errorf("read stats.daily_user_sets: %w", err)
	}
	return nil
}

// storedOf is the condition of the rows of a rollup with a column for its time.
func storedOf(at string) string {
	return ` WHERE project = $1 AND ` + at + ` >= $2 AND ` + at + ` < $3`
}

// keyColumns are the columns of the key of a rollup after its time.
func keyColumns(subject recount.Subject, of recount.Attribute) (columns []string) {
	if subject != recount.NoSubject {
		columns = append(columns, string(subject))
	}
	if of != recount.NoAttribute {
		columns = append(columns, string(of))
	}
	return columns
}

// keyOf returns the key of a row without its time, which is its first column.
func keyOf(row values, subject recount.Subject, of recount.Attribute) (key recount.Key) {
	next := 1
	switch subject {
	case recount.Product:
		key.Subject = int64(row.int32(next))
		next++
	case recount.User:
		key.Subject = row.int64(next)
		next++
	case recount.NoSubject:
	}
	switch of {
	case recount.Name:
		key.Of = int32(row.int16(next))
	case recount.Currency:
		key.Of = recount.CurrencyOf(row[next])
	case recount.NoAttribute:
	}
	return key
}
