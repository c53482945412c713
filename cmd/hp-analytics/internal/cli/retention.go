package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/retention"
)

// RetentionConfig says how long raw events are kept. The aggregator has the same setting.
type RetentionConfig struct {
	// RetentionDays is how long raw events are kept at least; they go with the last day of their week. Rollups, orders and refunds stay.
	RetentionDays int `env:"RETENTION_DAYS, default=90"`
}

// Validate implements config.Validator.
func (c *RetentionConfig) Validate() error {
	if c.RetentionDays < 1 || c.RetentionDays > 36_500 {
		return fmt.Errorf("RETENTION_DAYS: must be between 1 and 36500, not %d", c.RetentionDays)
	}
	return nil
}

func retentionCommand(env environment) *cobra.Command {
	apply := false
	cmd := &cobra.Command{
		Use:   "retention",
		Short: "Show which raw events are older than RETENTION_DAYS; --apply drops them now",
		Long: `Show which weeks of raw events, from Monday to Sunday, are older than RETENTION_DAYS (default 90), and what keeps them from
being dropped.

The aggregator drops them within the hour; --apply does it now, by the same rules. Rollups, orders and refunds stay.
It uses the database of DATABASE_URL, or else the private one of DATA_DIR (default .data).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return env.retention(cmd.Context(), apply) },
	}
	cmd.Flags().BoolVar(&apply, "apply", false, "drop them")
	return cmd
}

func (e environment) retention(ctx context.Context, apply bool) error {
	var cfg RetentionConfig
	if err := e.load(ctx, &cfg); err != nil {
		return err
	}
	return e.withDatabase(ctx, func(url string) error {
		database, err := e.databaseConfig(ctx, url)
		if err != nil {
			return err
		}
		pool, err := postgres.Open(ctx, database, "hp_aggregator", "hp-analytics retention", noop.NewTracerProvider())
		if err != nil {
			return err
		}
		defer pool.Close()
		firstKept := retention.FirstKept(time.Now(), cfg.RetentionDays)
		expired, err := retention.Show(ctx, pool, firstKept)
		if err != nil {
			return err
		}
		e.printExpired(expired, firstKept)
		if !apply || len(expired.Partitions)+len(expired.Held) == 0 {
			return nil
		}
		dropped, err := retention.Drop(ctx, pool, firstKept)
		if err != nil && len(dropped) == 0 {
			return fmt.Errorf("nothing was dropped: %w", err)
		}
		_, _ = fmt.Fprintf(e.stdout, "Dropped %d partitions.\n", len(dropped))
		if err != nil {
			return fmt.Errorf("the aggregator will delete the rest of these weeks: %w", err)
		}
		if len(expired.Held) > 0 {
			return fmt.Errorf("%d partitions stay, because batches with rows of these weeks are not folded yet; see hp-analytics batches list", len(expired.Held))
		}
		return nil
	})
}

func (e environment) printExpired(expired retention.Expired, firstKept time.Time) {
	var bytes int64
	for _, p := range slices.Concat(expired.Partitions, expired.Held) {
		rows, stays := "an unknown number of rows", ""
		if p.Rows >= 0 {
			rows = fmt.Sprintf("about %d rows", p.Rows)
		}
		if len(p.HeldBy) > 0 {
			stays = ", kept for " + strings.Join(p.HeldBy, ", ")
		}
		_, _ = fmt.Fprintf(e.stdout, "ingest.%s: %s, %d bytes%s\n", p.Name, rows, p.Bytes, stays)
		bytes += p.Bytes
	}
	if len(expired.Held) > 0 {
		_, _ = fmt.Fprintf(e.stdout, "%d partitions stay for their projects while %d batches of %d rows, some of them of those weeks, are not folded. "+
			"After a day, the rows of other projects are deleted from them.\n", len(expired.Held), expired.PendingBatches, expired.PendingRows)
	}
	_, _ = fmt.Fprintf(e.stdout, "%d partitions of %d bytes end before %s, the first day that is kept. Rollups, orders and refunds stay.\n",
		len(expired.Partitions)+len(expired.Held), bytes, firstKept.Format(time.DateOnly))
}
