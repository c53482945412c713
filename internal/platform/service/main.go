package service

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sethvargo/go-envconfig"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	"github.com/hp-analytics/hp-analytics/internal/platform/lifecycle"
	"github.com/hp-analytics/hp-analytics/internal/platform/profiler"
	"github.com/hp-analytics/hp-analytics/internal/platform/telemetry"
)

// Exit codes of Main.
const (
	exitOK      = 0
	exitFailure = 1
	exitConfig  = 2
)

// Main runs a process that hosts one service and returns its exit code: 0 after a requested stop, 1 after a failure,
// 2 for invalid arguments or configuration. C is the configuration struct of the service, build its constructor.
//
// Arguments: none to serve, "healthcheck" to check whether the running instance is ready (for images without a shell),
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
		return exitCode(stderr, name, CheckReady(ctx, LocalURL(cfg.Base().HTTP.Addr)+"/ready"))
	case flags.NArg() > 0:
		_, _ = fmt.Fprintf(stderr, "%s: unknown argument %q\n", name, flags.Arg(0))
		return exitConfig
	}
	return exitCode(stderr, name, serve(ctx, name, cfg, stderr, build))
}

// gcPercent lets the heap grow to four times the live data between collections. A service has about 10 MiB of live data,
// so memory stays small, and the collector uses a third of the CPU time that it uses at Go's default of 100.
const gcPercent = 300

// tuneGC sets gcPercent unless GOGC is set.
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
			logger.WarnContext(flushCtx, "flush traces", "err", err)
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
