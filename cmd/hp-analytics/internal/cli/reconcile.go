package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

func reconcileCommand(env environment) *cobra.Command {
	var days dayRange
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Recount every rollup from the raw rows, print each difference, exit 1 if there is any",
		Long: `Recount every rollup from the raw rows, print each difference, exit 1 if there is any.

It works in one snapshot, so the platform may run. It uses the database of DATABASE_URL, or else the private one of
DATA_DIR (default .data).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, to, err := days.parse()
			if err != nil {
				return usageError{err}
			}
			return env.reconcile(cmd.Context(), reconcile.Options{From: from, To: to, Out: env.stdout})
		},
	}
	days.define(cmd, "; default: the first with data", " (default: the last with data)")
	return cmd
}

func (e environment) reconcile(ctx context.Context, o reconcile.Options) error {
	return e.withDatabase(ctx, func(url string) error {
		database, err := e.databaseConfig(ctx, url)
		if err != nil {
			return err
		}
		pool, err := postgres.Open(ctx, database, "hp_aggregator", "hp-analytics reconcile", noop.NewTracerProvider())
		if err != nil {
			return err
		}
		defer pool.Close()
		start := time.Now()
		report, err := reconcile.Run(ctx, pool, o)
		if err != nil {
			return err
		}
		return e.report(report, time.Since(start))
	})
}

func (e environment) report(r reconcile.Report, took time.Duration) error {
	if n := len(r.Unchecked); n > 0 {
		_, _ = fmt.Fprintf(e.stdout, "%d days dropped (%s to %s): they are not checked, because their raw rows are gone (retention)\n",
			n, r.Unchecked[0].Format(time.DateOnly), r.Unchecked[n-1].Format(time.DateOnly))
	}
	if r.PendingRows > 0 {
		_, _ = fmt.Fprintf(e.stdout, "%d rows are not folded yet and therefore not counted\n", r.PendingRows)
	}
	for _, b := range r.Failed {
		_, _ = fmt.Fprintf(e.stdout, "batch %s: %d rows are missing from the numbers, because it cannot be folded: %s\n", b.ID, b.Rows, b.Failure)
	}
	_, _ = fmt.Fprintf(e.stdout, "Recounted %d days, %d raw rows, %d rollup rows in %s: %d differences.\n",
		r.Days, r.Rows, r.Compared, took.Round(time.Millisecond), r.Differences)
	if r.Differences > 0 {
		return fmt.Errorf("the rollups differ from the raw rows in %d places", r.Differences)
	}
	if len(r.Failed) > 0 {
		return fmt.Errorf("%d batches cannot be folded and are missing from the rollups; see `hp-analytics batches list`", len(r.Failed))
	}
	return nil
}
