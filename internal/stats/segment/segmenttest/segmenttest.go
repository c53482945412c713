// Package segmenttest makes segments for tests that write rows of rollups themselves.
package segmenttest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/stats/segment"
)

// Derive makes the segments of all projects and days anew from the rows of the rollups. pool may write them.
func Derive(tb testing.TB, pool *pgxpool.Pool) {
	tb.Helper()
	if err := derive(tb.Context(), pool); err != nil {
		tb.Fatalf("derive segments: %v", err)
	}
}

func derive(ctx context.Context, pool *pgxpool.Pool) error {
	type span struct {
		project     int16
		first, last time.Time
	}
	return postgres.InTx(ctx, pool, pgx.TxOptions{}, func(tx pgx.Tx) error { //nolint:wrapcheck // Derive says what was done
		rows, err := tx.Query(ctx, `
			SELECT project, min(day), max(day)
			FROM (SELECT project, day FROM stats.product_daily_stats UNION ALL SELECT project, day FROM stats.product_daily_revenue
				UNION ALL SELECT project, day FROM stats.product_segments UNION ALL SELECT project, day FROM stats.product_revenue_segments) AS every
			GROUP BY project`)
		if err != nil {
			return err
		}
		spans, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s span, err error) {
			err = row.Scan(&s.project, &s.first, &s.last)
			return s, err
		})
		if err != nil {
			return err
		}
		for _, s := range spans {
			if err := segment.Derive(ctx, tx, s.project, s.first, s.last); err != nil {
				return err
			}
		}
		return nil
	})
}
