package cli

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol/exported"
	"github.com/hp-analytics/hp-analytics/internal/quantity"
	"github.com/hp-analytics/hp-analytics/services/ingest/exports"
)

func verifyExportCommand(env environment) *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use:   "verify-export FILE",
		Short: "Check that an export of a user is complete and unchanged, exit 1 if it is not",
		Long: `Check that an export of a user is complete and unchanged, exit 1 if it is not.

FILE is the answer of GET /users/{id}/export, as it was received or compressed with gzip. Its lines are compared with the receipt in its
last line, and that with the receipt that the platform has kept. ` + whichDatabase + ` With --offline it uses no database.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.verifyExport(cmd.Context(), args[0], offline)
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "compare the lines with the receipt in the file only, which whoever changed them can have changed")
	return cmd
}

func (e environment) verifyExport(ctx context.Context, file string, offline bool) error {
	receipt, err := readExport(file)
	if err != nil {
		return err
	}
	if offline {
		e.printExport(receipt, "The file is complete by its own receipt, which was not compared with the one that the platform has kept.")
		return nil
	}
	return e.withDatabase(ctx, func(url string) error {
		database, err := e.databaseConfig(ctx, url)
		if err != nil {
			return err
		}
		pool, err := postgres.Open(ctx, database, "hp_ingest", "hp-analytics verify-export", noop.NewTracerProvider())
		if err != nil {
			return err
		}
		defer pool.Close()
		kept, err := exports.Receipt(ctx, pool, receipt.ID)
		if err != nil {
			return err
		}
		if err := receipt.Matches(kept.Receipt); err != nil {
			return err
		}
		e.printExport(receipt, "The file is complete: every line is as it was exported from the project "+kept.Project+".")
		return nil
	})
}

// readExport verifies a file by itself.
func readExport(path string) (receipt exported.Receipt, err error) {
	file, err := os.Open(path)
	if err != nil {
		return exported.Receipt{}, usageError{fmt.Errorf("open the export: %w", err)}
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffered := bufio.NewReader(file)
	var content io.Reader = buffered
	if magic, _ := buffered.Peek(2); string(magic) == "\x1f\x8b" {
		if content, err = gzip.NewReader(buffered); err != nil {
			return exported.Receipt{}, fmt.Errorf("decompress the export: %w", err)
		}
	}
	return exported.Verify(content)
}

func (e environment) printExport(r exported.Receipt, verdict string) {
	_, _ = fmt.Fprintf(e.stdout, "export %s of %s, for %s: %s\n", r.ID, r.SnapshotAt.UTC().Format(time.RFC3339), r.RequestedBy, quantity.Of(int(r.Lines), "line"))
	table := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	for _, kind := range slices.Sorted(maps.Keys(r.Counts)) {
		_, _ = fmt.Fprintf(table, "  %s\t%d\n", kind, r.Counts[kind])
	}
	_ = table.Flush()
	_, _ = fmt.Fprintln(e.stdout, verdict)
}
