package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/quantity"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

func reconcileCommand(env environment) *cobra.Command {
	var days dayRange
	var details bool
	var project string
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Recount every rollup from the raw rows, print the differences, exit 1 if there is any",
		Long: `Recount every rollup from the raw rows, print the differences, exit 1 if there is any.

It prints the first differences and how many each rollup has; --details prints every one. A rollup has the name of its view:
stats.user_daily, for example, sums the lanes of the table stats.user_daily_stats, and stats.user_daily_money those of stats.user_daily_revenue.

It works in one snapshot, so the platform may run. A read-only database, such as a standby, can be recounted, too, if
DATABASE_URL has target_session_attrs=any; then the result is not recorded.

It uses the database of DATABASE_URL, or else the private one of
DATA_DIR (default .data).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, to, err := days.parse()
			if err != nil {
				return usageError{err}
			}
			options := reconcile.Options{Project: project, From: from, To: to, Details: env.stdout}
			if !details {
				options.Details = &firstLines{out: env.stdout, left: shownDifferences}
			}
			return env.reconcile(cmd.Context(), options)
		},
	}
	days.define(cmd, "; default: the first with data", " (default: the last with data)")
	defineProject(cmd, &project)
	cmd.Flags().BoolVar(&details, "details", false, "print every difference")
	return cmd
}

// shownDifferences is how many differences are printed without --details.
const shownDifferences = 20

// firstLines passes on the first lines of what is written to it, a line a call.
type firstLines struct {
	out  io.Writer
	left int
	more int // lines that were not passed on
}

// Write implements io.Writer.
func (w *firstLines) Write(line []byte) (int, error) {
	if w.left == 0 {
		w.more++
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
		err = recordCommand(ctx, pool, reconcileBegun, o.Project, audit.Details{"from": o.From, "to": o.To})
		if err != nil && !isReadOnly(err) {
			return err
		}
		start := time.Now()
		report, err := reconcile.Run(ctx, pool, o)
		if err != nil && !errors.Is(err, reconcile.ErrNotRecorded) {
			return err
		}
		if lines, ok := o.Details.(*firstLines); ok && lines.more > 0 {
			_, _ = fmt.Fprintf(e.stdout, "… and %s more; --details prints every one\n", quantity.Of(lines.more, "difference"))
		}
		found := e.report(report, time.Since(start))
		if isReadOnly(err) {
			_, _ = fmt.Fprintln(e.stdout, "This result is not recorded, because the database is read-only: metrics and doctor do not know of it.")
			return found
		}
		return errors.Join(found, err)
	})
}

// isReadOnly reports whether a database refused to store something because it is read-only, as a standby is. It can be recounted.
func isReadOnly(err error) bool {
	_, is := postgres.IsCode(err, postgres.ReadOnlyTransaction)
	return is
}

func (e environment) report(r reconcile.Report, took time.Duration) error {
	for _, t := range r.Tables {
		days := ""
		if !t.First.IsZero() {
			days = fmt.Sprintf(", %s to %s", t.First.Format(time.DateOnly), t.Last.Format(time.DateOnly))
		}
		_, _ = fmt.Fprintf(e.stdout, "%s %s: %s%s\n", t.Project, t.Name, quantity.Of(t.Differences, "difference"), days)
	}
	for _, u := range r.Unchecked {
		_, _ = fmt.Fprintf(e.stdout, "%s: %s dropped (%s to %s): not checked, because raw events are gone (retention)\n",
			u.Project, quantity.Of(len(u.Days), "day"), u.Days[0].Format(time.DateOnly), u.Days[len(u.Days)-1].Format(time.DateOnly))
	}
	if r.PendingRows > 0 {
		_, _ = fmt.Fprintf(e.stdout, "not folded yet and therefore not counted: %s\n", quantity.Of(r.PendingRows, "row"))
	}
	for _, b := range r.Failed {
		_, _ = fmt.Fprintf(e.stdout, "%s batch %d: %s missing from the numbers, because it cannot be folded: %s\n", b.Project, b.ID, quantity.Of(b.Rows, "row"), b.Failure)
	}
	if r.Erasures > 0 {
		_, _ = fmt.Fprintf(e.stdout, "erasures of users that run: %d. Until they are done (GET /erasures), rollups of these users and unique users of their days may differ\n", r.Erasures)
	}
	_, _ = fmt.Fprintf(e.stdout, "Recounted %s, %s, %s, %s in %s: %s.\n", quantity.Of(r.Projects, "project"), quantity.Of(r.Days, "day"), quantity.Of(r.Rows, "raw row"),
		quantity.Of(r.Compared, "rollup row"), took.Round(time.Millisecond), quantity.Of(r.Differences, "difference"))
	if r.Days == 0 && len(r.Unchecked) == 0 {
		_, _ = fmt.Fprintln(e.stdout, "Nothing was checked: there are no data of these days.")
	}
	if r.Proven > 0 {
		_, _ = fmt.Fprintf(e.stdout, "%s of history proven: retention may drop their days\n", quantity.Of(r.Proven, "import"))
	}
	if r.Differences > 0 {
		return fmt.Errorf("the rollups differ from the raw rows in %s", quantity.Of(r.Differences, "place"))
	}
	if len(r.Failed) > 0 {
		return fmt.Errorf("the rollups lack the rows of %s that cannot be folded; see `hp-analytics batches list`", quantity.Of(len(r.Failed), "batch"))
	}
	return nil
}
