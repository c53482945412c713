package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/embedded"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/migrations/migrate"
)

// defaultDataDir is the data directory without DATA_DIR.
const defaultDataDir = ".data"

// DataConfig says where the private databases of a local installation are.
type DataConfig struct {
	// DataDir holds the data of `up`.
	DataDir string `env:"DATA_DIR, default=.data"`
}

// whichDatabase is the part of a help text that says which database a command uses.
const whichDatabase = "It uses the database of DATABASE_URL, or else the private one of DATA_DIR (default .data)."

// nameDatabase makes the help of each command say which database it uses.
func nameDatabase(commands []*cobra.Command) {
	for _, cmd := range commands {
		if cmd.Long == "" {
			cmd.Long = cmd.Short + "."
		}
		cmd.Long += "\n\n" + whichDatabase
	}
}

// withDatabase runs fn with the URL of the database that commands use: DATABASE_URL if it is set, else the private Postgres
// of DATA_DIR. If no `up` is running there, it starts that Postgres until fn returns.
func (e environment) withDatabase(ctx context.Context, fn func(url string) error) error {
	return e.attach(ctx, false, func(a embedded.Attached) error { return fn(a.DatabaseURL) })
}

// attach runs fn with the URLs of the databases that commands use, as withDatabase says. With redis, that of the private Redis is
// among them if the private Postgres is used; REDIS_URL takes precedence, and is used with DATABASE_URL.
func (e environment) attach(ctx context.Context, redis bool, fn func(embedded.Attached) error) error {
	var cfg struct {
		DataConfig
		URL      config.URL `env:"DATABASE_URL"`
		RedisURL config.URL `env:"REDIS_URL"`
	}
	if err := e.load(ctx, &cfg); err != nil {
		return err
	}
	if cfg.URL != "" {
		if err := postgres.CheckURL(cfg.URL); err != nil {
			return usageError{fmt.Errorf("DATABASE_URL: %w", err)}
		}
		return fn(embedded.Attached{DatabaseURL: string(cfg.URL), RedisURL: string(cfg.RedisURL)})
	}
	logger, err := e.logger(ctx)
	if err != nil {
		return err
	}
	attached, release, err := embedded.Attach(ctx, cfg.DataDir, redis && cfg.RedisURL == "", logger)
	if errors.Is(err, embedded.ErrNoData) {
		return usageError{fmt.Errorf("no database: set DATABASE_URL, or DATA_DIR to that of `hp-analytics up` (%w)", err)}
	}
	if err != nil {
		return err
	}
	if cfg.RedisURL != "" {
		attached.RedisURL = string(cfg.RedisURL)
	}
	return errors.Join(fn(attached), release())
}

func migrateCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Change or show the version of the database schema",
		Long:  "Change or show the version of the database schema.\n\n" + whichDatabase,
	}
	steps := 0
	down := &cobra.Command{
		Use:   "down",
		Short: "Undo migrations, newest first (all of them without --steps): this deletes data",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withDatabase(cmd.Context(), func(url string) error {
				logger, err := env.logger(cmd.Context())
				if err != nil {
					return err
				}
				if err := migrate.Down(cmd.Context(), url, logger, steps); err != nil {
					return err
				}
				return env.printStatus(cmd.Context(), url)
			})
		},
	}
	down.Flags().IntVar(&steps, "steps", 0, "how many migrations to undo; 0 means all")
	var wait time.Duration
	up := &cobra.Command{
		Use:   "up",
		Short: "Apply all pending migrations; safe to run from several places at once",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return env.migrateUp(cmd.Context(), wait) },
	}
	up.Flags().DurationVar(&wait, "wait", 0, "how long to wait for a database that does not accept connections yet")
	cmd.AddCommand(
		up,
		down,
		&cobra.Command{
			Use:   "status",
			Short: "Show the version of the schema and what is pending",
			Args:  cobra.NoArgs,
			RunE:  func(cmd *cobra.Command, _ []string) error { return env.migrateStatus(cmd.Context()) },
		},
	)
	nameDatabase(cmd.Commands())
	return cmd
}

func (e environment) migrateUp(ctx context.Context, wait time.Duration) error {
	return e.withDatabase(ctx, func(url string) error {
		logger, err := e.logger(ctx)
		if err != nil {
			return err
		}
		if wait > 0 {
			if err := migrate.Await(ctx, url, logger, wait); err != nil {
				return err
			}
		}
		if err := migrate.Up(ctx, url, logger); err != nil {
			return err
		}
		return e.printStatus(ctx, url)
	})
}

func (e environment) migrateStatus(ctx context.Context) error {
	return e.withDatabase(ctx, func(url string) error { return e.printStatus(ctx, url) })
}

func (e environment) printStatus(ctx context.Context, url string) error {
	status, err := migrate.Inspect(ctx, url)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.stdout, status)
	return err
}
