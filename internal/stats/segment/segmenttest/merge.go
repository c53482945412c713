package segmenttest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/stats/segment"
)

// Merge brings the segments of a project of the days from first on, but before another day, into the form that the aggregator
// gives them after a while: one segment for each day, and one for each block of days that is over.
func Merge(tb testing.TB, pool *pgxpool.Pool, project int16, first, before time.Time) {
	tb.Helper()
	for _, t := range segment.Tables {
		for block := first.AddDate(0, 0, -int(first.Unix()/86400)%segment.BlockDays); block.Before(before); block = block.AddDate(0, 0, segment.BlockDays) {
			if err := mergeBlock(tb.Context(), pool, t, project, block, before); err != nil {
				tb.Fatalf("merge segments: %v", err)
			}
		}
	}
}

func mergeBlock(ctx context.Context, pool *pgxpool.Pool, t *segment.Table, project int16, block, before time.Time) error {
	return postgres.InTx(ctx, pool, pgx.TxOptions{}, func(tx pgx.Tx) error { //nolint:wrapcheck // Merge says what was done
		byCurrency := map[string][]segment.Segment{}
		var merged []segment.Row
		for i := range segment.BlockDays {
			day := block.AddDate(0, 0, i)
			if !day.Before(before) {
				break
			}
			found, err := take(ctx, tx, t, project, day)
			if err != nil {
				return err
			}
			for currency, segments := range found {
				one, err := segment.Merge(segments...)
				if err != nil {
					return err
				}
				merged = append(merged, segment.Row{Segment: one, Project: project, Merged: true, Days: 1, Day: day, Currency: currency})
				byCurrency[currency] = append(byCurrency[currency], one)
			}
		}
		if !block.AddDate(0, 0, segment.BlockDays).After(before) {
			for currency, segments := range byCurrency {
				whole, err := segment.Merge(segments...)
				if err != nil {
					return err
				}
				merged = append(merged, segment.Row{Segment: whole, Project: project, Merged: true, Days: segment.BlockDays, Day: block, Currency: currency})
			}
		}
		return t.Insert(ctx, tx, merged)
	})
}

// take deletes the segments of a day and returns them by currency.
func take(ctx context.Context, tx pgx.Tx, t *segment.Table, project int16, day time.Time) (map[string][]segment.Segment, error) {
	currency := "''"
	if t.ByCurrency {
		currency = "currency"
	}
	rows, err := tx.Query(ctx, `DELETE FROM stats.`+t.Name+` WHERE project = $1 AND day = $2 AND days = 1
		RETURNING `+currency+`, totals, products, `+strings.Join(t.Columns, ", "), project, day)
	if err != nil {
		return nil, err
	}
	found := map[string][]segment.Segment{}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (ok bool, err error) {
		s := segment.Segment{Columns: make([][]byte, len(t.Columns))}
		var of string
		fields := []any{&of, &s.Totals, &s.Products}
		for i := range s.Columns {
			fields = append(fields, &s.Columns[i])
		}
		err = row.Scan(fields...)
		found[of] = append(found[of], s)
		return true, err
	})
	return found, err
}
