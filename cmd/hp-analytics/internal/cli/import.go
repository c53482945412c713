package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/hp-analytics/hp-analytics/client"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/mapping"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
)

// ImportConfig is the credential of imports.
type ImportConfig struct {
	// Key is an API key of the project. Products need the scope admin, and so do events that are older than the platform takes;
	// everything else needs the scope ingest.
	Key config.Secret `env:"API_KEY, required"`
}

// importPatience is how long a request is repeated while the platform restarts or has no room.
const importPatience = 10 * time.Minute

func importCommand(env environment) *cobra.Command {
	o := importer.Options{Checkpoint: time.Second, Grace: 15 * time.Second}
	var url, mappingFile, delimiter string
	cmd := &cobra.Command{
		Use:   "import --mapping FILE FILE...",
		Short: "Import files of products, events, orders or refunds into a running platform, exactly once",
		Long: `Import files of products, events, orders or refunds into a running platform: CSV or NDJSON, as they are or packed with gzip
or zstd; - is standard input. The mapping file says what the rows are (docs/import.md): their kind, and which column of the file is
which field. These are the fields of each kind; those with a star are required:

` + mapping.Help() + `
Of orders, one of unit_price, amount and amount_minor is required, with currency. The values of a CSV file are separated by commas,
semicolons or tabs, whichever its first row has, unless --delimiter or the mapping names something else.

Run again, also after it was interrupted or killed, the command goes on where it was, and nothing is counted twice. Refused
rows are written to a file beside the input, in its order, in which they can be mended and imported.

API_KEY is an API key of the project, with the scope admin for products and old events, and ingest for all else.

Exit codes: 0 all rows are imported, 1 the import has not ended, 2 the command line or the mapping is wrong, 3 rows were refused.`,
		RunE: func(cmd *cobra.Command, files []string) error {
			if len(files) == 0 {
				return usageError{errors.New("name the files to import, or - for standard input")}
			}
			o.Files = files
			return env.importFiles(cmd.Context(), o, url, mappingFile, delimiter)
		},
	}
	url = "http://localhost:8080"
	cmd.Flags().Var(baseURL{&url}, "url", "base URL of the platform")
	cmd.Flags().StringVar(&mappingFile, "mapping", "", "file that says what the rows are (required)")
	cmd.Flags().StringVar(&delimiter, "delimiter", "", `character between the values of a CSV row, such as ";" or "tab" (found by content without it)`)
	cmd.Flags().IntVar(&o.InFlight, "in-flight", importer.DefaultInFlight, "requests at the same time")
	cmd.Flags().Int64Var(&o.Window, "window", importer.DefaultWindow, "how many rows the lines of one order may lie apart")
	cmd.Flags().BoolVar(&o.Again, "again", false, "send all rows, also those that the checkpoint says are imported")
	cmd.Flags().StringVar(&o.Rejects, "rejects", "import.rejects", "file for the refused rows of standard input")
	return cmd
}

func (e environment) importFiles(ctx context.Context, o importer.Options, url, mappingFile, delimiter string) error {
	if err := o.Validate(); err != nil {
		return usageError{err}
	}
	if mappingFile == "" {
		return usageError{errors.New("name the mapping file with --mapping (docs/import.md)")}
	}
	var err error
	if o.MappingText, err = os.ReadFile(mappingFile); err != nil {
		return usageError{fmt.Errorf("read the mapping: %w", err)}
	}
	if o.Mapping, err = mapping.Parse(o.MappingText); err != nil {
		return usageError{fmt.Errorf("%s: %w", mappingFile, err)}
	}
	if err := o.SetDelimiter(delimiter); err != nil {
		return usageError{fmt.Errorf("--delimiter: %w", err)}
	}
	var cfg ImportConfig
	if err := e.load(ctx, &cfg); err != nil {
		return err
	}
	if cfg.Key == "" {
		return usageError{errors.New("API_KEY is empty: set it to an API key of the project")}
	}
	c, err := client.New(url, client.WithAPIKey(string(cfg.Key)), client.WithUserAgent("hp-analytics-import"),
		client.WithRetryPolicy(client.RetryPolicy{MaxElapsed: importPatience}))
	if err != nil {
		return usageError{err}
	}
	defer c.CloseIdleConnections()
	if err := reached(ctx, url); err != nil {
		return err
	}
	platform := importer.NewPlatform(c)
	if err := platform.CheckKey(ctx, o.Mapping.Rows); err != nil {
		return fmt.Errorf("nothing was imported, and no file was changed: %w", err)
	}
	o.Target, o.Place, o.Out, o.Stdin = platform, importer.PlaceOf(url, string(cfg.Key)), e.stdout, os.Stdin
	_, err = importer.Run(ctx, o)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return errors.New("interrupted; run the same command to go on: nothing is counted twice")
	}
	return err
}
