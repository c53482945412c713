package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/stats/segment"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
)

// addSegments inserts what deltas add to the rollups of products by day once more, as segments. It is the same for all lanes, because a
// fold only inserts them.
func addSegments(ctx context.Context, tx pgx.Tx, d *rollup.Deltas) error {
	for _, table := range rollup.Tables {
		if table.Segments == nil {
			continue
		}
		rows, err := segmentsOf(table, d)
		if err != nil {
			return fmt.Errorf("make segments of %s: %w: %w", table.Name, err, errContent)
		}
		if err := table.Segments.Insert(ctx, tx, rows); err != nil {
			return err //nolint:wrapcheck // it names the table
		}
	}
	return nil
}

// segmentsOf returns the segments of what deltas add to a table: one for each day of a project and each currency.
func segmentsOf(table *rollup.Table, d *rollup.Deltas) (all []segment.Row, err error) {
	type place struct {
		project  int16
		day      int64
		currency [3]byte
	}
	builders := map[place]*segment.Builder{}
	var places []place
	for key, values := range table.SumsOf(d) {
		at := place{key.Project, key.At, key.Currency}
		builder, ok := builders[at]
		if !ok {
			builder = segment.NewBuilder(len(table.Values))
			builders[at] = builder
			places = append(places, at)
		}
		if err := builder.Add(key.Product, values); err != nil {
			return nil, err //nolint:wrapcheck // addSegments says what was done
		}
	}
	for _, at := range places {
		row := segment.Row{Segment: builders[at].Segment(), Project: at.project, Days: 1, Day: localtime.Day(at.day).Date()}
		if table.Segments.ByCurrency {
			row.Currency = string(at.currency[:])
		}
		all = append(all, row)
	}
	return all, nil
}
