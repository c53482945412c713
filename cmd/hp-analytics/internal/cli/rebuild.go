package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
)

func rebuildCommand(env environment) *cobra.Command {
	var from, to string
	var restart bool
	cmd := &cobra.Command{
		Use:   "rebuild --from DAY --to DAY",
		Short: "Make the rollups of a range of days anew from the raw rows, beside a running platform",
		Long: `Make the rollups of a range of days anew from the raw rows, beside a running platform.

Each day is counted aside and then swapped in at once, so numbers are from before or from after it. What is right stays
untouched. A rebuild that was interrupted goes on where it was when the same days are asked for again. Days whose raw rows
are gone (retention) are refused. "hp-analytics reconcile" tells whether a rebuild is needed.

The database is that of DATABASE_URL, or else the private one of DATA_DIR (default .data). With REDIS_URL the caches of
analytics are told what has changed; without it they notice when their entries expire.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := rebuildRange(from, to)
			if err != nil {
				return usageError{err}
			}
			options.Restart = restart
			return env.rebuild(cmd.Context(), options)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "first day (YYYY-MM-DD, UTC)")
	cmd.Flags().StringVar(&to, "to", "", "last day, included")
	cmd.Flags().BoolVar(&restart, "restart", false, "begin anew instead of going on with an interrupted rebuild of the same days")
	return cmd
}

func rebuildRange(from, to string) (rebuild.Options, error) {
	first, fromErr := day("--from", from)
	last, toErr := day("--to", to)
	if err := errors.Join(fromErr, toErr); err != nil {
		return rebuild.Options{}, err
	}
	switch {
	case first == nil || last == nil:
		return rebuild.Options{}, errors.New("--from and --to: both are needed")
	case last.Before(*first):
		return rebuild.Options{}, errors.New("--to: must not be before --from")
	}
	return rebuild.Options{From: *first, To: *last}, nil
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
			defer client.Close() //nolint:errcheck // nothing is lost
			o.Redis = client
		}
		o.Done = e.printRebuiltDay
		start := time.Now()
		report, err := rebuild.Run(ctx, pool, o)
		e.printRebuilt(report, time.Since(start), o.Redis != nil)
		return err
	})
}

func (e environment) printRebuiltDay(d rebuild.Day) {
	_, _ = fmt.Fprintf(e.stdout, "%s: %d raw rows (%d came in meanwhile), %d rollup rows before, %d after, %d removed, %d added, in %s, writers waited %s\n",
		d.Day.Format(time.DateOnly), d.Rows, d.Late, d.Before, d.After, d.Removed, d.Added,
		d.Took.Round(time.Millisecond), d.Locked.Round(time.Millisecond))
	if d.Unpublished != nil {
		_, _ = fmt.Fprintf(e.stdout, "%s: caches were not told and notice when their entries expire: %v\n", d.Day.Format(time.DateOnly), d.Unpublished)
	}
}

func (e environment) printRebuilt(r rebuild.Report, took time.Duration, told bool) {
	var rows, removed, added int64
	for _, d := range r.Done {
		rows, removed, added = rows+d.Rows, removed+d.Removed, added+d.Added
	}
	if len(r.Resumed) > 0 {
		_, _ = fmt.Fprintf(e.stdout, "%d days were done before the interruption.\n", len(r.Resumed))
	}
	if !told && removed+added > 0 {
		_, _ = fmt.Fprintln(e.stdout, "REDIS_URL is not set: cached answers live until they expire.")
	}
	_, _ = fmt.Fprintf(e.stdout, "Rebuilt %d days from %d raw rows in %s: %d rollup rows removed, %d added.\n",
		len(r.Done), rows, took.Round(time.Millisecond), removed, added)
}
