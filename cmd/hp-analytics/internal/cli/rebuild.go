package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/quantity"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
)

// rebuildWait is how long a rebuild waits for another one: that of an erasure, or a step of a change of a time zone, ends soon.
const rebuildWait = 30 * time.Second

func rebuildCommand(env environment) *cobra.Command {
	var days dayRange
	var restart bool
	var project string
	cmd := &cobra.Command{
		Use:   "rebuild --from DAY --to DAY",
		Short: "Recompute the rollups of a range of days from the raw rows while the platform runs",
		Long: `Recompute the rollups of a range of days from the raw rows while the platform runs.

Days are those of the time zone of each project. Each is computed separately and swapped in at once, so readers see the old numbers or the new ones. Identical rows are
not touched. An interrupted rebuild continues where it stopped when it is run again for the same days. Days of which
raw events were dropped (retention) are refused. "hp-analytics reconcile" tells whether a rebuild is needed.

It uses the database of DATABASE_URL, or else the private one of DATA_DIR (default .data). With REDIS_URL it invalidates the
caches of analytics; without it cached numbers stay until they expire.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := rebuildOptions(days)
			if err != nil {
				return usageError{err}
			}
			options.Restart, options.Project, options.Wait = restart, project, rebuildWait
			return env.rebuild(cmd.Context(), options)
		},
	}
	days.define(cmd, "", "")
	defineProject(cmd, &project)
	cmd.Flags().BoolVar(&restart, "restart", false, "start over instead of continuing an interrupted rebuild of the same days")
	return cmd
}

func rebuildOptions(days dayRange) (rebuild.Options, error) {
	from, to, err := days.parse()
	switch {
	case err != nil:
		return rebuild.Options{}, err
	case from == nil || to == nil:
		return rebuild.Options{}, errors.New("--from and --to: both are required")
	}
	return rebuild.Options{From: localtime.DayOfDate(*from), To: localtime.DayOfDate(*to)}, nil
}

func (e environment) rebuild(ctx context.Context, o rebuild.Options) error {
	return e.withDatabase(ctx, func(url string) error {
		database, err := e.databaseConfig(ctx, url)
		if err != nil {
			return err
		}
		pool, err := postgres.Open(ctx, database, "hp_aggregator", "hp-analytics rebuild", noop.NewTracerProvider())
		if err != nil {
			return err
		}
		defer pool.Close()
		var optional struct {
			URL config.URL `env:"REDIS_URL"`
		}
		if err := e.load(ctx, &optional); err != nil {
			return err
		}
		if optional.URL != "" {
			var cfg redis.Config
			if err := e.load(ctx, &cfg); err != nil {
				return err
			}
			client, err := redis.Open(cfg, "rebuild")
			if err != nil {
				return err
			}
			defer client.Close() //nolint:errcheck // nothing is pending on it
			o.Redis = redis.NewClient(client, cfg, postgres.Identity(pool))
		}
		o.Done = e.printRebuiltDay
		details := audit.Details{"from": o.From.String(), "to": o.To.String(), "restart": o.Restart}
		if err := recordCommand(ctx, pool, rebuildBegun, o.Project, details); err != nil {
			return err
		}
		start := time.Now()
		report, err := rebuild.Run(ctx, pool, o)
		if missing, ok := errors.AsType[*rebuild.NoRawRowsError](err); ok {
			return fmt.Errorf("%w; %s", err, possibleDays(o, missing.Days))
		}
		if err == nil || len(report.Done) > 0 { // one that fails before its first day has nothing to tell
			e.printRebuilt(report, time.Since(start), o.Redis != nil)
		}
		return err
	})
}

// possibleDays says which day of the range is the first that can be rebuilt.
func possibleDays(o rebuild.Options, missing []localtime.Day) string {
	for day := o.From; day <= o.To; day++ {
		if !slices.Contains(missing, day) {
			return "the first day of the range that can be rebuilt is " + day.String()
		}
	}
	return "no day of the range can be rebuilt"
}

func (e environment) printRebuiltDay(d rebuild.Day) {
	outcome := fmt.Sprintf("%d rollup rows: equal", d.After)
	if d.Removed+d.Added > 0 {
		outcome = fmt.Sprintf("%d rollup rows before, %d after, %d removed, %d added", d.Before, d.After, d.Removed, d.Added)
	}
	_, _ = fmt.Fprintf(e.stdout, "%s %s: %d raw rows (%d of them arrived during the rebuild), %s, in %s, writers waited %s\n",
		d.Project, d.Day, d.Rows, d.Late, outcome, d.Took.Round(time.Millisecond), d.Locked.Round(time.Millisecond))
	if d.Unpublished != nil {
		_, _ = fmt.Fprintf(e.stdout, "%s %s: the caches were not invalidated, cached numbers stay until they expire: %v\n", d.Project, d.Day, d.Unpublished)
	}
}

func (e environment) printRebuilt(r rebuild.Report, took time.Duration, invalidated bool) {
	var rows, removed, added int64
	for _, d := range r.Done {
		rows, removed, added = rows+d.Rows, removed+d.Removed, added+d.Added
	}
	if r.Resumed > 0 {
		_, _ = fmt.Fprintf(e.stdout, "Already done before the interruption: %s.\n", quantity.Of(r.Resumed, "day"))
	}
	if !invalidated && removed+added > 0 {
		_, _ = fmt.Fprintln(e.stdout, "REDIS_URL is not set: cached numbers stay until they expire.")
	}
	outcome := "equal, nothing was written"
	if removed+added > 0 {
		outcome = fmt.Sprintf("%s removed, %d added", quantity.Of(removed, "rollup row"), added)
	}
	_, _ = fmt.Fprintf(e.stdout, "Rebuilt %s from %s in %s: %s.\n",
		quantity.Of(len(r.Done), "day"), quantity.Of(rows, "raw row"), took.Round(time.Millisecond), outcome)
}
