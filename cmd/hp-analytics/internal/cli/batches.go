package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/internal/quantity"
	failedbatches "github.com/hp-analytics/hp-analytics/services/aggregator/batches"
)

func batchesCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "batches",
		Short: "List and release batches that cannot be folded and were set aside",
		Long: `List and release batches that cannot be folded and were set aside.

Their rows are stored but missing from the numbers. The aggregator tries each again, after a minute at first and after an
hour at most. It uses the database of DATABASE_URL, or else the private one of DATA_DIR (default .data).`,
	}
	list := &cobra.Command{
		Use:   "list",
		Short: "List the batches that are set aside, and why",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withBatches(cmd.Context(), func(pool *pgxpool.Pool) error { return env.listBatches(cmd.Context(), pool) })
		},
	}
	all := false
	release := &cobra.Command{
		Use:   "release ID… | --all",
		Short: "Let the aggregator try batches again at once, after their cause was repaired",
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := batchIDs(args, all)
			if err != nil {
				return usageError{err}
			}
			return env.withBatches(cmd.Context(), func(pool *pgxpool.Pool) error {
				return env.releaseBatches(cmd.Context(), pool, ids)
			})
		},
	}
	release.Flags().BoolVar(&all, "all", false, "release all of them")
	cmd.AddCommand(list, release)
	nameDatabase(cmd.Commands())
	return cmd
}

// batchIDs parses the arguments of release. It returns none for all.
func batchIDs(args []string, all bool) ([]int64, error) {
	if all == (len(args) > 0) {
		return nil, errors.New("release needs the ids of batches, or --all")
	}
	var ids []int64
	for _, arg := range args {
		id, err := strconv.ParseInt(arg, 10, 64)
		if err != nil || id < 0 {
			return nil, fmt.Errorf("%q is not the id of a batch (a number)", arg)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (e environment) withBatches(ctx context.Context, fn func(pool *pgxpool.Pool) error) error {
	return e.withDatabase(ctx, func(url string) error {
		database, err := e.databaseConfig(ctx, url)
		if err != nil {
			return err
		}
		pool, err := postgres.Open(ctx, database, "hp_aggregator", "hp-analytics batches", noop.NewTracerProvider())
		if err != nil {
			return err
		}
		defer pool.Close()
		return fn(pool)
	})
}

func (e environment) listBatches(ctx context.Context, pool *pgxpool.Pool) error {
	failed, err := failedbatches.List(ctx, pool)
	if err != nil {
		return err
	}
	var rows int64
	for _, b := range failed {
		rows += b.Rows
		_, _ = fmt.Fprintf(e.stdout, "%s %d: %d %s, received %s, failed %d times, next attempt %s: %s\n",
			b.Project, b.ID, b.Rows, unit(b.Kind), b.ReceivedAt.UTC().Format(time.RFC3339), b.Attempts, b.Next.UTC().Format(time.RFC3339), b.Failure)
	}
	_, err = fmt.Fprintf(e.stdout, "%s set aside; %s missing from the numbers.\n", quantity.Of(len(failed), "batch"), quantity.Of(rows, "row"))
	return err
}

// unit is what the rows of a kind of batch are.
func unit(kind string) string {
	if kind == protocol.KindEvents {
		return kind
	}
	return "lines of " + kind
}

// releaseBatches releases batches by their ids, or all of them without ids.
func (e environment) releaseBatches(ctx context.Context, pool *pgxpool.Pool, ids []int64) error {
	var released []int64
	var err error
	if len(ids) == 0 {
		released, err = failedbatches.ReleaseAll(ctx, pool)
	} else {
		released, err = failedbatches.Release(ctx, pool, ids)
	}
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(e.stdout, "Released %s, to be folded within seconds or set aside again.\n", quantity.Of(len(released), "batch"))
	if len(released) < len(ids) {
		return fmt.Errorf("%d of %d ids name no batch that is set aside", len(ids)-len(released), len(ids))
	}
	return nil
}
