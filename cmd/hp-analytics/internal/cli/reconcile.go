package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

func reconcileCommand(env environment) *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Recount every rollup from the raw rows, print each difference, exit 1 if there is any",
		Long: `Recount every rollup from the raw rows, print each difference, exit 1 if there is any.

Works beside a running platform, in one snapshot. The database is that of DATABASE_URL, or else the private one of
DATA_DIR (default .data).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options := reconcile.Options{Out: env.stdout}
			var fromErr, toErr error
			options.From, fromErr = day("--from", from)
			options.To, toErr = day("--to", to)
			if err := errors.Join(fromErr, toErr); err != nil {
				return usageError{err}
			}
			return env.reconcile(cmd.Context(), options)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "first day (YYYY-MM-DD, UTC; default: the first there is)")
	cmd.Flags().StringVar(&to, "to", "", "last day, included (default: the last there is)")
	return cmd
}

func day(flag, text string) (*time.Time, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no bound
	}
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return nil, fmt.Errorf("%s: must be a day like 2026-03-14, not %q", flag, text)
	}
	return &d, nil
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
	for _, d := range r.Unchecked {
		_, _ = fmt.Fprintf(e.stdout, "%s: not checked, its raw rows are gone (retention)\n", d.Format(time.DateOnly))
	}
	if r.PendingRows > 0 {
		_, _ = fmt.Fprintf(e.stdout, "%d rows are not folded yet and not counted here\n", r.PendingRows)
	}
	_, _ = fmt.Fprintf(e.stdout, "Recounted %d days, %d raw rows, %d rollup rows in %s: %d differences.\n",
		r.Days, r.Rows, r.Compared, took.Round(time.Millisecond), r.Differences)
	if r.Differences > 0 {
		return fmt.Errorf("the rollups differ from the raw rows in %d places", r.Differences)
	}
	return nil
}
