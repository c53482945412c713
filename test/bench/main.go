// Command bench measures the platform as it runs in production: each service a process of its own, on a durable Postgres
// and a Redis that it starts for the purpose, driven over HTTP from this process. It prints one table. `make bench` runs
// it; BENCHMARKS.md explains the columns and keeps a run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are the command line.
type options struct {
	bin         string
	dir         string
	duration    time.Duration
	connections int
	only        string
	profiles    string
}

func run(args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.bin, "bin", "bin", "where the services' programs are (make build)")
	flags.StringVar(&o.dir, "dir", "", "where the databases' files go; default: a temporary directory")
	flags.DurationVar(&o.duration, "duration", 8*time.Second, "how long each load lasts")
	flags.IntVar(&o.connections, "connections", 64, "connections that send single events and purchases; bulk takes an eighth")
	flags.StringVar(&o.only, "only", "", "only work whose name contains this, such as bulk")
	flags.StringVar(&o.profiles, "profile", "", "a directory for CPU profiles of every service under every load; numbers are a little worse meanwhile")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, o, stdout); err != nil {
		_, _ = fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

// measure starts the platform, puts every load on it in turn and prints a row for each.
func measure(ctx context.Context, o options, out io.Writer) (err error) {
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "hp-analytics-bench-"); err != nil {
			return fmt.Errorf("make a directory: %w", err)
		}
		defer os.RemoveAll(o.dir)                      //nolint:errcheck // temporary
		if err := os.Chmod(o.dir, 0o755); err != nil { //nolint:gosec // the unprivileged servers must pass through
			return fmt.Errorf("open the directory: %w", err)
		}
	}
	bin, err := filepath.Abs(o.bin)
	if err != nil {
		return fmt.Errorf("find the programs: %w", err)
	}
	if o.profiles != "" {
		if err := os.MkdirAll(o.profiles, 0o750); err != nil {
			return fmt.Errorf("make a directory for profiles: %w", err)
		}
	}
	p, err := startPlatform(ctx, bin, o.dir, o.profiles)
	defer func() { err = errors.Join(err, p.stop()) }()
	if err != nil {
		return err
	}
	header(out)
	for _, w := range workloads(o) {
		if !strings.Contains(w.name, o.only) {
			continue
		}
		row, err := w.measure(ctx, p)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		row.print(out)
	}
	return nil
}
