package cli

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/host"
	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/internal/platform/telemetry"
)

// PortConfig is the public port of the all-in-one.
type PortConfig struct {
	// Port is the public TCP port.
	Port int `env:"PORT, default=8080"`
}

// Validate implements config.Validator.
func (c *PortConfig) Validate() error {
	if c.Port < 0 || c.Port > 65535 {
		return fmt.Errorf("PORT: must be between 0 and 65535, not %d", c.Port)
	}
	return nil
}

// url returns the base URL of the port on an interface of this host.
func (c *PortConfig) url(host string) string {
	return service.LocalURL(net.JoinHostPort(host, strconv.Itoa(c.Port)))
}

func serveCommand(env environment) *cobra.Command {
	var target string
	var checkOnly bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve some or all services from this process, on databases of your own (DATABASE_URL, REDIS_URL)",
		Long: `Serve some or all services from this process.

DATABASE_URL and REDIS_URL say where the databases are; run "hp-analytics migrate up" first. Services come up unready
until the schema is new enough. A variable may be given for one service alone by its name in front, such as
INGEST_DATABASE_MAX_CONNS.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			names, err := host.Parse(target)
			if err != nil {
				return usageError{err}
			}
			if checkOnly {
				return env.checkConfig(cmd.Context(), names)
			}
			return env.serve(cmd.Context(), names)
		},
	}
	cmd.Flags().StringVar(&target, "target", host.All, "services to run, separated by commas: all, auth, catalog, ingest, analytics, aggregator")
	cmd.Flags().BoolVar(&checkOnly, "check-config", false, "validate the configuration of the targets and exit")
	return cmd
}

// serveConfig is what the process itself needs, beside the configuration of each service.
type serveConfig struct {
	service.Config
	PortConfig
}

func (e environment) checkConfig(ctx context.Context, names []string) error {
	if err := e.load(ctx, &serveConfig{}); err != nil {
		return err
	}
	if err := host.Check(ctx, names, e.environ); err != nil {
		return usageError{fmt.Errorf("invalid configuration:\n%w", err)}
	}
	_, err := fmt.Fprintln(e.stdout, "The configuration is valid.")
	return err
}

// serve runs the targets in production manner: structured logs, all interfaces, drain delay.
func (e environment) serve(ctx context.Context, names []string) error {
	var cfg serveConfig
	if err := e.load(ctx, &cfg); err != nil {
		return err
	}
	if err := host.Check(ctx, names, e.environ); err != nil {
		return usageError{fmt.Errorf("invalid configuration:\n%w", err)}
	}
	if _, set := e.lookup().Lookup("HTTP_ADDR"); !set {
		cfg.HTTP.Addr = ":" + strconv.Itoa(cfg.Port)
	}
	listener, err := httpserver.Listen(ctx, cfg.HTTP)
	if err != nil {
		return err
	}
	environ := e.environ
	if slices.Contains(names, "auth") {
		environ = withDefaults(environ, "JWKS_URL="+jwksURL(listener.Addr(), cfg.HTTP.BasePath))
	}
	log := telemetry.NewBuffer(e.stderr)
	defer log.Flush()
	logger := telemetry.NewLogger(log, cfg.Log)
	logger.InfoContext(ctx, "starting", "version", service.Version(), "targets", names, "addr", listener.Addr().String())
	return host.Run(ctx, host.Options{Targets: names, Environ: environ, Listener: listener, Logger: logger})
}

// jwksURL returns where this process serves its own key set.
func jwksURL(addr net.Addr, basePath string) string {
	return service.LocalURL(addr.String()) + basePath + "/auth/.well-known/jwks.json"
}

// withDefaults adds those of the KEY=value pairs that have a value and whose variable environ does not set.
func withDefaults(environ []string, pairs ...string) []string {
	lookup := config.Environ(environ, "")
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		if _, set := lookup.Lookup(name); !set && value != "" {
			environ = append(slices.Clip(environ), pair)
		}
	}
	return environ
}
