// Package cli is the command line of hp-analytics.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"syscall"

	"github.com/sethvargo/go-envconfig"
	"github.com/spf13/cobra"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/internal/platform/telemetry"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1 // something went wrong, or a comparison found a difference
	exitUsage   = 2 // the command line or the configuration is wrong, or doctor has found a problem
	exitRefused = 3 // an import has read everything, and rows were refused
	// exitUnread is what shells show for a program that SIGPIPE has ended: nobody reads its output any more.
	exitUnread = 128 + int(syscall.SIGPIPE)
)

// usageError marks an error that the user made: wrong arguments or configuration.
type usageError struct{ error }

// Unwrap returns the cause.
func (e usageError) Unwrap() error { return e.error }

// environment holds the inputs and outputs of a command, in place of globals.
type environment struct {
	environ        []string
	stdout, stderr io.Writer
}

// lookup returns the environment variables as go-envconfig reads them.
func (e environment) lookup() envconfig.Lookuper { return config.Environ(e.environ, "") }

// load fills target from the environment.
func (e environment) load(ctx context.Context, target any) error {
	if err := config.Load(ctx, target, e.lookup()); err != nil {
		return usageError{fmt.Errorf("invalid configuration:\n%w", err)}
	}
	return nil
}

// logger returns a logger for interactive commands: text on stderr, from LOG_LEVEL up (default warn).
func (e environment) logger(ctx context.Context) (*slog.Logger, error) {
	cfg := struct {
		Level slog.Level `env:"LOG_LEVEL, default=warn"`
	}{}
	if err := e.load(ctx, &cfg); err != nil {
		return nil, err
	}
	return telemetry.NewLogger(e.stderr, telemetry.LogConfig{Level: cfg.Level, Format: "text"}), nil
}

// Run executes one command and returns the exit code.
func Run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	ctx, out, stop := newCommandOutput(ctx, stdout)
	defer stop()
	env := environment{environ: environ, stdout: out.writer(), stderr: stderr}
	root := &cobra.Command{
		Use:           "hp-analytics",
		Short:         "Product analytics on Postgres and Redis, with numbers that are provably right",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(
		upCommand(env),
		serveCommand(env),
		migrateCommand(env),
		adminCommand(env),
		keysCommand(env),
		doctorCommand(env),
		queueCommand(env),
		auditCommand(env),
		reconcileCommand(env),
		verifyErasureCommand(env),
		verifyExportCommand(env),
		rebuildCommand(env),
		batchesCommand(env),
		retentionCommand(env),
		demoCommand(env),
		importCommand(env),
		mcpCommand(env),
		tailCommand(env),
		healthcheckCommand(env),
		versionCommand(env),
	)
	root.SetArgs(args)
	root.SetOut(out.writer())
	root.SetErr(stderr)
	started := false
	noteStart(root, &started)
	err := root.ExecuteContext(ctx)
	if err != nil && !started {
		err = usageError{err}
	}
	if out.unread.Load() {
		return exitUnread
	}
	return exitCode(err, stderr)
}

// noteStart makes every command set started before it does anything. All errors before that are those of the command line. A group
// of commands gets a RunE, because cobra otherwise accepts any word after it.
func noteStart(cmd *cobra.Command, started *bool) {
	for _, sub := range cmd.Commands() {
		noteStart(sub, started)
	}
	run := cmd.RunE
	switch {
	case run == nil && cmd.HasParent():
		cmd.Args = cobra.NoArgs
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	case run != nil:
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*started = true
			return run(cmd, args)
		}
	}
}

// refused makes a refusal by the rules of the API say in sentences what is wrong. It is a usage error unless the state of the platform
// is the reason.
func refused(err error) error {
	refusal, ok := errors.AsType[*errs.Error](err)
	if !ok {
		return err
	}
	sentences := []string{refusal.Detail}
	for _, field := range refusal.Fields {
		sentences = append(sentences, field.Detail)
	}
	text := strings.Join(sentences, " ")
	switch refusal.Kind {
	case errs.Invalid, errs.NotFound, errs.Forbidden:
		return usageError{errors.New(text)}
	case errs.Conflict:
		return errors.New(text)
	default:
		return err
	}
}

func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	_, _ = fmt.Fprintln(stderr, "hp-analytics:", err)
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if errors.Is(err, errProblems) {
		return exitUsage
	}
	if errors.Is(err, importer.ErrRefusedRows) {
		return exitRefused
	}
	return exitFailure
}

func versionCommand(env environment) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this build",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(env.stdout, service.Version())
			return err
		},
	}
}

func healthcheckCommand(env environment) *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running instance whether it is ready; exit 1 if not",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if url == "" {
				cfg := struct {
					PortConfig
					HostConfig
					Addr string `env:"HTTP_ADDR"`
				}{}
				if err := env.load(cmd.Context(), &cfg); err != nil {
					return err
				}
				if url = cfg.url(cfg.Host); cfg.Addr != "" {
					url = service.LocalURL(cfg.Addr)
				}
			}
			return service.CheckReady(cmd.Context(), url+"/ready")
		},
	}
	cmd.Flags().Var(baseURL{&url}, "url", "base URL of the instance (default that of $HTTP_ADDR, or of $HOST and $PORT)")
	return cmd
}
