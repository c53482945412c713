package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/embedded"
	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/host"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/migrations/migrate"
)

// upConfig is the configuration of `up`.
type upConfig struct {
	PortConfig
	DataConfig
	AdminConfig
	HostConfig
	// BasePath is that of the server, which the process needs to reach itself.
	BasePath string `env:"HTTP_BASE_PATH"`
	// DatabaseURL and RedisURL name existing databases; without them private ones are started.
	DatabaseURL config.URL `env:"DATABASE_URL"`
	RedisURL    config.URL `env:"REDIS_URL"`
}

// HostConfig is the interface of the all-in-one.
type HostConfig struct {
	// Host is the interface to serve on. With the default only this machine can connect.
	Host string `env:"HOST, default=127.0.0.1"`
}

// Validate implements config.Validator.
func (c *HostConfig) Validate() error {
	if err := config.CheckHost(c.Host); err != nil {
		return fmt.Errorf("HOST: %w", err)
	}
	return nil
}

func upCommand(env environment) *cobra.Command {
	var checkOnly bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the whole platform on this machine, with a private Postgres and Redis unless told otherwise",
		Long: `Start the whole platform on this machine: all services behind one port.

Environment:
  PORT            public port (default 8080)
  HOST            interface to serve on, a name or an address (default 127.0.0.1; 0.0.0.0 for all)
  DATA_DIR        where the private databases live (default .data)
  DATABASE_URL    use this Postgres instead of a private one
  REDIS_URL       use this Redis instead of a private one
  ADMIN_EMAIL, ADMIN_PASSWORD   the first admin; without them a password is generated and shown at the first start
  REGISTRATION    who may register: open (default here), invite or closed
  LOG_LEVEL       lowest level shown here (default error); everything from info up goes to DATA_DIR/hp-analytics.log`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := env.upConfig(cmd.Context())
			if err != nil {
				return err
			}
			if checkOnly {
				return env.done(nil, "The configuration is valid.\n")
			}
			return env.up(cmd.Context(), cfg)
		},
	}
	cmd.Flags().BoolVar(&checkOnly, "check-config", false, "validate the configuration and exit")
	return cmd
}

// upConfig reads the configuration of `up` and checks that of the services in it. The error has all problems of both.
func (e environment) upConfig(ctx context.Context) (upConfig, error) {
	names, err := host.Parse(host.All)
	if err != nil {
		return upConfig{}, err
	}
	private := withDefaults(e.environ, "DATABASE_URL=postgres://127.0.0.1/private", "REDIS_URL=redis://127.0.0.1")
	var cfg upConfig
	err = errors.Join(
		config.Load(ctx, &cfg, e.lookup()),
		config.Load(ctx, &serveConfig{}, config.Environ(private, "")),
		host.Check(ctx, names, private),
	)
	if err == nil {
		return cfg, nil
	}
	var problems []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !slices.Contains(problems, line) {
			problems = append(problems, line)
		}
	}
	return upConfig{}, usageError{errors.New("invalid configuration:\n" + strings.Join(problems, "\n"))}
}

func (e environment) up(ctx context.Context, cfg upConfig) error {
	// Take the directory first, so that nothing of a platform that runs in it, such as its log, is touched.
	databases, err := embedded.Open(cfg.DataDir)
	if err != nil {
		return err
	}
	err = errors.Join(e.upIn(ctx, cfg, databases), databases.Stop(ctx))
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // interrupted during the start
	}
	return err
}

// upIn starts the databases of a directory that this process holds, and everything on top of them.
func (e environment) upIn(ctx context.Context, cfg upConfig, databases *embedded.Databases) error {
	listener, err := httpserver.Listen(ctx, httpserver.Config{Addr: net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port))})
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d is taken; choose another: make up PORT=%d", cfg.Port, cfg.Port+1)
	}
	if err != nil {
		return err
	}
	defer listener.Close() //nolint:errcheck // the server has closed it unless the start failed

	logger, closeLog, err := e.upLogger(ctx, cfg.DataDir)
	if err != nil {
		return err
	}
	defer closeLog()
	_, _ = fmt.Fprintln(e.stdout, "Starting HP Analytics", service.Version(), "…")
	err = databases.Start(ctx, embedded.Options{Postgres: cfg.DatabaseURL == "", Redis: cfg.RedisURL == "", Logger: logger})
	if err != nil {
		return err
	}
	return e.upWith(ctx, cfg, databases, listener, logger)
}

// upWith prepares the schema and the first admin, and serves until ctx ends.
func (e environment) upWith(ctx context.Context, cfg upConfig, databases *embedded.Databases, listener net.Listener, logger *slog.Logger) error {
	environ := withDefaults(e.environ,
		"DATABASE_URL="+databases.DatabaseURL(),
		"REDIS_URL="+databases.RedisURL(),
		"JWKS_URL="+jwksURL(listener.Addr(), cfg.BasePath),
		"HTTP_ADDR="+listener.Addr().String(),
		"HTTP_ACCESS_LOG=errors",
		"REGISTRATION=open",       // to try the platform out; the log warns if others can reach it
		"SHUTDOWN_DRAIN_DELAY=0s", // there is no load balancer to wait for
	)
	names, err := host.Parse(host.All)
	if err != nil {
		return err
	}
	effective := environment{environ: environ, stdout: e.stdout, stderr: e.stderr}
	admin, err := effective.prepare(ctx, cfg, logger)
	if err != nil {
		return err
	}
	url := strings.Replace(service.LocalURL(listener.Addr().String()), "//127.0.0.1:", "//localhost:", 1)
	return host.Run(ctx, host.Options{
		Targets:  names,
		Environ:  environ,
		Listener: listener,
		Logger:   logger,
		Before:   databases.Components(),
		Ready:    func() { effective.welcome(url+cfg.BasePath, cfg, admin, listener.Addr()) },
	})
}

// program returns the beginning of a command line for the databases of this installation. It hides the URL of a database, which may
// contain a password.
func (c *upConfig) program() string {
	switch {
	case c.DatabaseURL != "":
		return "DATABASE_URL=… bin/hp-analytics"
	case c.DataDir != defaultDataDir:
		return "DATA_DIR=" + c.DataDir + " bin/hp-analytics"
	}
	return "bin/hp-analytics"
}

// demo returns the command line of the demo.
func (c *upConfig) demo(url string) string {
	if c.DataDir != defaultDataDir {
		return "make demo URL=" + url + " DATA_DIR=" + c.DataDir
	}
	return "make demo URL=" + url
}

// prepare migrates the schema and creates the first admin. It returns a description of the admin's login.
func (e environment) prepare(ctx context.Context, cfg upConfig, logger *slog.Logger) (string, error) {
	var database postgres.Config
	if err := e.load(ctx, &database); err != nil {
		return "", err
	}
	if err := migrate.Up(ctx, string(database.URL), logger); err != nil {
		return "", err
	}
	return firstAdmin(ctx, database, cfg.AdminConfig, cfg.DataDir, cfg.program())
}

// welcome prints where the platform is and what to do next.
func (e environment) welcome(url string, cfg upConfig, admin string, addr net.Addr) {
	_, _ = fmt.Fprintf(e.stdout, `
  HP Analytics is ready.

    Dashboard      %[1]s
    API            %[1]s
    API explorer   %[1]s/docs
    Readiness      %[1]s/ready
    Metrics        %[1]s/metrics
    Admin          %[2]s
    Data and log   %[3]s

  Try it:  %[4]s      Stop it:  Ctrl-C

`, url, admin, cfg.DataDir, cfg.demo(url))
	registration, _ := e.lookup().Lookup("REGISTRATION")
	if tcp, ok := addr.(*net.TCPAddr); registration == "open" && ok && !tcp.IP.IsLoopback() {
		_, _ = fmt.Fprintf(e.stdout, "  Warning: everybody who reaches %s can register. REGISTRATION=invite asks for an invitation.\n\n", addr)
	}
}
