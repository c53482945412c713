package cli

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/quantity"
	"github.com/hp-analytics/hp-analytics/services/aggregator/erasure"
)

func verifyErasureCommand(env environment) *cobra.Command {
	options := erasure.Options{Project: "default"}
	cmd := &cobra.Command{
		Use:   "verify-erasure [RECEIPT]",
		Short: "Look for what is left of an erased user, exit 1 if anything is or if the erasure is not done",
		Long: `Look for what is left of an erased user, exit 1 if anything is or if the erasure is not done.

RECEIPT is the id that DELETE /users/{id} answered with; --user names the user in its place. Every table that names users is read,
in one snapshot, so the platform may run. It uses the database of DATABASE_URL, or else the private one of DATA_DIR (default .data).`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == (options.User != "") {
				return usageError{errors.New("name a receipt or a user with --user, and not both")}
			}
			if len(args) == 1 {
				var err error
				if options.Receipt, err = uuid.Parse(args[0]); err != nil {
					return usageError{fmt.Errorf("%q is no receipt: it is a UUID", args[0])}
				}
			}
			return env.verifyErasure(cmd.Context(), options)
		},
	}
	cmd.Flags().StringVar(&options.Project, "project", options.Project, "the project")
	cmd.Flags().StringVar(&options.User, "user", "", "verify all receipts of the user with this user id or anonymous id")
	return cmd
}

func (e environment) verifyErasure(ctx context.Context, o erasure.Options) error {
	return e.withDatabase(ctx, func(url string) error {
		database, err := e.databaseConfig(ctx, url)
		if err != nil {
			return err
		}
		pool, err := postgres.Open(ctx, database, "hp_aggregator", "hp-analytics verify-erasure", noop.NewTracerProvider())
		if err != nil {
			return err
		}
		defer pool.Close()
		reports, err := erasure.Verify(ctx, pool, o)
		if err != nil {
			return err
		}
		open, left := 0, 0
		for i := range reports {
			e.printErasure(&reports[i])
			switch r := &reports[i]; {
			case r.State != "done":
				open++
			case !r.OK():
				left++
			}
		}
		var failed []error
		if open > 0 {
			failed = append(failed, fmt.Errorf("%s not done yet", quantity.Of(open, "erasure")))
		}
		if left > 0 {
			failed = append(failed, fmt.Errorf("something is left of %s", quantity.Of(left, "erasure")))
		}
		return errors.Join(failed...)
	})
}

func (e environment) printErasure(r *erasure.Report) {
	_, _ = fmt.Fprintf(e.stdout, "erasure %s: ", r.Receipt)
	switch r.State {
	case "waiting":
		_, _ = fmt.Fprintf(e.stdout, "waiting since %s\nNothing was removed yet, so there is nothing to verify. The aggregator begins within seconds, unless it is down or another erasure of the project runs.\n",
			r.Asked.UTC().Format(time.RFC3339))
		return
	case "running":
		_, _ = fmt.Fprintf(e.stdout, "running, phase %s, asked for %s", r.Phase, r.Asked.UTC().Format(time.RFC3339))
	default:
		_, _ = fmt.Fprint(e.stdout, r.State)
	}
	if r.Finished != nil {
		_, _ = fmt.Fprintf(e.stdout, " since %s", r.Finished.UTC().Format(time.RFC3339))
	}
	_, _ = fmt.Fprintf(e.stdout, ", %s\n", quantity.Of(r.Numbers, "id"))
	if len(r.HeldBy) > 0 {
		_, _ = fmt.Fprintf(e.stdout, "It is held up by %s that cannot be folded (hp-analytics batches list): %v\n", quantity.Of(len(r.HeldBy), "batch"), r.HeldBy)
	}
	table := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	for _, t := range r.Tables {
		_, _ = fmt.Fprintf(table, "  %s\t%s left\n", t.Name, quantity.Of(t.Left, "row"))
	}
	_ = table.Flush()
	if r.Back {
		_, _ = fmt.Fprintln(e.stdout, "The id is known again: it was sent after the erasure, and is a new user since.")
	}
}
