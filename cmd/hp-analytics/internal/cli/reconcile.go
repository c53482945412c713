package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

func reconcileCommand(env environment) *cobra.Command {
	var days dayRange
	var details bool
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Recount every rollup from the raw rows, print the differences, exit 1 if there is any",
		Long: `Recount every rollup from the raw rows, print the differences, exit 1 if there is any.

It prints the first differences and how many each table has; --details prints every one.

It works in one snapshot, so the platform may run. It uses the database of DATABASE_URL, or else the private one of
DATA_DIR (default .data).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, to, err := days.parse()
			if err != nil {
				return usageError{err}
			}
			options := reconcile.Options{From: from, To: to, Details: &firstLines{out: env.stdout, left: shownDifferences}}
			if details {
				options.Details = env.stdout
			}
			return env.reconcile(cmd.Context(), options)
		},
	}
	days.define(cmd, "; default: the first with data", " (default: the last with data)")
	cmd.Flags().BoolVar(&details, "details", false, "print every difference")
	return cmd
}

// shownDifferences is how many differences are printed without --details.
const shownDifferences = 20

// firstLines passes on the first lines of what is written to it, a line a call.
type firstLines struct {
	out  io.Writer
	left int
}

// Write implements io.Writer.
func (w *firstLines) Write(line []byte) (int, error) {
	if w.left == 0 {
		return len(line), nil
	}
	w.left--
	return w.out.Write(line)
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
	for _, t := range r.Tables {
		days := ""
		if !t.First.IsZero() {
			days = fmt.Sprintf(", %s to %s", t.First.Format(time.DateOnly), t.Last.Format(time.DateOnly))
		}
		_, _ = fmt.Fprintf(e.stdout, "%s: %d differences%s\n", t.Name, t.Differences, days)
	}
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
