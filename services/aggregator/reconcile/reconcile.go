// Package reconcile recounts every rollup from the raw rows and tells each difference. It is how the promise that the
// numbers are right is checked: it shares no code with the folding, all counting here is SQL over the raw rows.
package reconcile

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
)

// Options say what is recounted.
type Options struct {
	From, To *time.Time // inclusive UTC days; nil means from the first, to the last
	Out      io.Writer  // differences are written here as they are found
}

// Report is the outcome.
type Report struct {
	Days        int   // days that were recounted
	Rows        int64 // raw events and purchases behind them
	Compared    int64 // rollup rows that were compared
	Differences int
	Unchecked   []time.Time // days that have rollups but no raw rows any more (retention)
	PendingRows int64       // rows that are not folded yet, and rightly not in the rollups
}

// Run recounts in one snapshot, while the platform goes on working. It reads a day at a time, and Postgres joins recount
// and rollup, so only differences come back. An error means that it could not be done, not that there are differences.
func Run(ctx context.Context, pool *pgxpool.Pool, o Options) (Report, error) {
	r := &run{options: o}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := postgres.InTx(ctx, pool, options, func(tx pgx.Tx) error {
		r.tx = tx
		return r.all(ctx)
	})
	if err != nil {
		return Report{}, postgres.Classify(fmt.Errorf("reconcile: %w", err))
	}
	return r.report, nil
}

// run is one reconciliation.
type run struct {
	tx      pgx.Tx
	options Options
	report  Report
}

func (r *run) all(ctx context.Context) error {
	// A whole day is sorted and joined in one statement: that takes longer than a request may, and more memory.
	if _, err := r.tx.Exec(ctx, `SET LOCAL statement_timeout = 0; SET LOCAL work_mem = '64MB'`); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	const pending = `SELECT coalesce(sum(rows), 0)::bigint FROM ingest.batches WHERE aggregated_at IS NULL`
	if err := r.tx.QueryRow(ctx, pending).Scan(&r.report.PendingRows); err != nil {
		return fmt.Errorf("pending rows: %w", err)
	}
	days, err := r.days(ctx)
	if err != nil {
		return err
	}
	for _, d := range days {
		if !d.raw {
			r.report.Unchecked = append(r.report.Unchecked, d.day)
			continue
		}
		if err := r.checkDay(ctx, d.day); err != nil {
			return fmt.Errorf("%s: %w", d.day.Format(time.DateOnly), err)
		}
		r.report.Days++
	}
	return r.checkReceipts(ctx)
}

// day is a day that has raw rows or rollups or both.
type day struct {
	day time.Time
	raw bool // its partition still exists
}

// days lists the days of the range, oldest first.
func (r *run) days(ctx context.Context) ([]day, error) {
	const query = `
		WITH raw AS (
			SELECT day FROM ingest.whole_days
		), stored AS (
			SELECT day FROM stats.daily_stats
			UNION SELECT day FROM stats.product_daily_stats
			UNION SELECT day FROM stats.user_daily_stats
			UNION SELECT day FROM stats.product_type_daily_stats
			UNION SELECT day FROM stats.type_daily_stats
			UNION SELECT day FROM stats.product_daily_users
			UNION SELECT day FROM stats.daily_users
		)
		SELECT day, raw.day IS NOT NULL
		FROM raw FULL JOIN stored USING (day)
		WHERE ($1::date IS NULL OR day >= $1) AND ($2::date IS NULL OR day <= $2)
		ORDER BY day`
	rows, err := r.tx.Query(ctx, query, r.options.From, r.options.To)
	if err != nil {
		return nil, fmt.Errorf("list days: %w", err)
	}
	days, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d day, err error) {
		err = row.Scan(&d.day, &d.raw)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("list days: %w", err)
	}
	return days, nil
}

// checkDay compares everything that is stored of a day.
func (r *run) checkDay(ctx context.Context, d time.Time) error {
	if err := r.checkCounts(ctx, d); err != nil {
		return err
	}
	if err := r.checkSketches(ctx, d); err != nil {
		return err
	}
	return r.checkReferences(ctx, d)
}

// differ notes a difference.
func (r *run) differ(format string, args ...any) error {
	r.report.Differences++
	if _, err := fmt.Fprintf(r.options.Out, format+"\n", args...); err != nil {
		return fmt.Errorf("print a difference: %w", err)
	}
	return nil
}
