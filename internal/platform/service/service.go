// Package service is the frame that every deployable shares: the contract between a service and the process that hosts
// it, and the main of a process that hosts just one.
package service

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sethvargo/go-envconfig"
	"go.opentelemetry.io/otel/trace"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
	"github.com/hp-analytics/hp-analytics/internal/platform/profiler"
	"github.com/hp-analytics/hp-analytics/internal/platform/telemetry"
)

// Service is what a process can host. Building one opens no connection: it may start before everything it needs.
type Service interface {
	// Routes returns the service's whole HTTP surface.
	Routes() http.Handler
	// Run does the background work and owns the connections; it blocks until ctx ends and then closes them.
	Run(ctx context.Context, ready func()) error
	// Health returns what /ready is answered from.
	Health() *httpserver.Health
}

// Deps is what the hosting process hands to a service.
type Deps struct {
	Logger         *slog.Logger
	Registerer     prometheus.Registerer
	Gatherer       prometheus.Gatherer
	TracerProvider trace.TracerProvider
}

// Config is the part of the configuration that every service has. Services embed it.
type Config struct {
	HTTP     httpserver.Config
	Log      telemetry.LogConfig
	Profiler profiler.Config
	// DrainDelay is how long a stopping service goes on serving while /ready already answers 503, so that load
	// balancers stop sending before it stops accepting.
	DrainDelay time.Duration `env:"SHUTDOWN_DRAIN_DELAY, default=5s"`
}

// Base returns the shared part of a service's configuration.
func (c Config) Base() Config { return c }

// Validate implements config.Validator.
func (c *Config) Validate() error {
	if c.DrainDelay < 0 {
		return fmt.Errorf("SHUTDOWN_DRAIN_DELAY: must not be negative, not %s", c.DrainDelay)
	}
	return nil
}

// Exit codes of Main.
const (
	exitOK      = 0
	exitFailure = 1
	exitConfig  = 2
)

// Main runs a process that hosts one service and returns its exit code: 0 after a requested stop, 1 after a failure,
// 2 for invalid arguments or configuration. C is the service's configuration struct, build makes the service.
//
// Arguments: none to serve, "healthcheck" to ask the running instance for its readiness (for images without a shell),
// -check-config to validate and print the configuration, -version.
func Main[C interface{ Base() Config }](name string, args, environ []string, stdout, stderr io.Writer,
	build func(ctx context.Context, cfg C, deps Deps) (Service, error),
) int {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	checkOnly := flags.Bool("check-config", false, "validate the configuration, print it without secrets, and exit")
	showVersion := flags.Bool("version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitOK
		}
		return exitConfig
	}
	if *showVersion {
		_, _ = fmt.Fprintln(stdout, name, Version())
		return exitOK
	}

	tuneGC(config.Environ(environ, ""))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var cfg C
	if err := config.Load(ctx, &cfg, config.Environ(environ, "")); err != nil {
		_, _ = fmt.Fprintf(stderr, "%s: invalid configuration:\n%v\n", name, err)
		return exitConfig
	}
	switch {
	case *checkOnly:
		if err := config.Dump(stdout, &cfg); err != nil {
			return exitFailure
		}
		return exitOK
	case flags.NArg() == 1 && flags.Arg(0) == "healthcheck":
		return exitCode(stderr, name, CheckReady(ctx, localReadyURL(cfg.Base().HTTP.Addr)))
	case flags.NArg() > 0:
		_, _ = fmt.Fprintf(stderr, "%s: unknown argument %q\n", name, flags.Arg(0))
		return exitConfig
	}
	return exitCode(stderr, name, serve(ctx, name, cfg, stderr, build))
}

// gcPercent lets the heap grow to four times what is live before it is collected. What is live here is some ten MiB, so
// memory stays small, and the collector takes a third of the time that it takes with Go's default of 100.
const gcPercent = 300

// tuneGC leaves the last word to GOGC.
func tuneGC(environ envconfig.Lookuper) {
	if _, set := environ.Lookup("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
}

func exitCode(stderr io.Writer, name string, err error) int {
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return exitFailure
	}
	return exitOK
}

// serve hosts the one service until ctx ends.
func serve[C interface{ Base() Config }](ctx context.Context, name string, cfg C, stderr io.Writer,
	build func(context.Context, C, Deps) (Service, error),
) error {
	base := cfg.Base()
	log := telemetry.NewBuffer(stderr)
	defer log.Flush()
	logger := telemetry.NewLogger(log, base.Log).With("service", name)
	tracing, flush, err := telemetry.NewTracerProvider(ctx, "hp-analytics-"+name, Version(), os.LookupEnv)
	if err != nil {
		return err
	}
	defer func() {
		flushCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := flush(flushCtx); err != nil {
			logger.WarnContext(flushCtx, "flushing traces", "err", err)
		}
	}()
	listener, err := httpserver.Listen(ctx, base.HTTP)
	if err != nil {
		return err
	}
	registry := telemetry.NewRegistry(Version())
	buildCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	svc, err := build(buildCtx, cfg, Deps{
		Logger:         logger,
		Registerer:     prometheus.WrapRegistererWith(prometheus.Labels{"service": name}, registry),
		Gatherer:       registry,
		TracerProvider: tracing,
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	logger.InfoContext(ctx, "starting", "version", Version(), "addr", listener.Addr().String())
	return lifecycle.Run(ctx,
		lifecycle.Options{Logger: logger, Drain: svc.Health().Drain, DrainDelay: base.DrainDelay},
		profiler.Component(base.Profiler, logger),
		lifecycle.Component{Name: name, Run: svc.Run},
		httpserver.Component(listener, base.HTTP, svc.Routes(), logger),
	)
}

// CheckReady asks url, a /ready endpoint, and returns an error unless it answers 200.
func CheckReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask for readiness: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask for readiness: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}

// localReadyURL returns the /ready URL of an instance on this host that listens on addr.
func localReadyURL(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" || net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/ready"
}

// version is set by the linker (-X); see the Makefile.
var version string

// Version returns the version of this build: what the linker stamped, else the VCS revision, else "dev".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				return setting.Value
			}
		}
	}
	return "dev"
}
