// Command bench measures the platform the way production runs it: each service as a process of its own, on a durable Postgres
// and a Redis that it starts for the purpose, under load over HTTP from this process. It prints one table with the platform,
// the raw limits of the machine, and a naive service as a baseline. `make bench` runs it; BENCHMARKS.md explains the rows and
// keeps the results of a run.
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
	peer        string
	rounds      int
}

func run(args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.bin, "bin", "bin", "directory of the programs (make build bin/baseline)")
	flags.StringVar(&o.dir, "dir", "", "directory of the databases' files and the logs; default: a temporary directory")
	flags.DurationVar(&o.duration, "duration", 8*time.Second, "how long each load lasts, after a warm-up of a second or half of it")
	flags.IntVar(&o.connections, "connections", 64, "connections for single events, purchases and bulk of 100; bulk of 1,000 uses an eighth")
	flags.StringVar(&o.only, "only", "", "measure only work whose name contains this, such as bulk")
	flags.StringVar(&o.profiles, "profile", "", "directory for CPU profiles of every service under every load; profiling makes the numbers a little worse")
	flags.StringVar(&o.peer, "peer", "", "directory of a Fastify + BullMQ service (src/server.js, src/worker.js, sql/, node_modules); measures it and the platform by turns instead of printing the table")
	flags.IntVar(&o.rounds, "rounds", 3, "with -peer: how often each is measured; the report shows medians")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := start(ctx, o, stdout, stderr); err != nil {
		_, _ = fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

// bench is a run.
type bench struct {
	options
	progress io.Writer
	platform *platform
	baseline *reference // nil until it is needed
	rows     []row
	notes    []string // under the table
}

// start prepares the directories, starts the platform, measures and prints.
func start(ctx context.Context, o options, out, progress io.Writer) (err error) {
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "hp-analytics-bench-"); err != nil {
			return fmt.Errorf("make a directory: %w", err)
		}
		defer os.RemoveAll(o.dir)                      //nolint:errcheck // temporary
		if err := os.Chmod(o.dir, 0o755); err != nil { //nolint:gosec // the servers run as an unprivileged user, who has to enter it
			return fmt.Errorf("open the directory: %w", err)
		}
	}
	if o.bin, err = filepath.Abs(o.bin); err != nil {
		return fmt.Errorf("find the programs: %w", err)
	}
	if o.profiles != "" {
		if err := os.MkdirAll(o.profiles, 0o750); err != nil {
			return fmt.Errorf("make a directory for profiles: %w", err)
		}
	}
	p, err := startPlatform(ctx, o)
	defer func() { err = errors.Join(err, p.Stop()) }()
	if err != nil {
		return err
	}
	b := &bench{options: o, progress: progress, platform: p}
	if o.peer != "" {
		return b.compare(ctx, out)
	}
	return b.table(ctx, out)
}

// table measures every workload and prints the table. After a failure it prints the rows that it has.
func (b *bench) table(ctx context.Context, out io.Writer) error {
	var problem error
	for _, w := range workloads() {
		if !b.wants(w.name) {
			continue
		}
		rows, err := w.measure(ctx, b)
		if err != nil {
			problem = fmt.Errorf("%s: %w", w.name, err)
			break
		}
		b.add(rows)
	}
	printTable(out, b.rows)
	for _, note := range append(b.notes, b.copyShares()...) {
		_, _ = fmt.Fprintf(out, "\n%s\n", note)
	}
	return problem
}

// wants reports whether -only selects a workload.
func (o options) wants(name string) bool { return strings.Contains(name, o.only) }

// add appends rows to the table and reports them as progress.
func (b *bench) add(rows []row) {
	b.rows = append(b.rows, rows...)
	for _, r := range rows {
		_, _ = fmt.Fprintf(b.progress, "%s  %s: %s events/s, %.1f µs, p50 %s ms, p99 %s ms\n",
			time.Now().Format(time.TimeOnly), r.name, thousands(r.events), r.total, milliseconds(r.p50), milliseconds(r.p99))
	}
}

// find returns the row of a name, if it was measured.
func (b *bench) find(name string) (row, bool) {
	for _, r := range b.rows {
		if r.name == name {
			return r, true
		}
	}
	return row{}, false
}

// copyShares compares bulk requests with COPY alone.
func (b *bench) copyShares() (notes []string) {
	bulk, ok := b.find("bulk of 1,000")
	for _, name := range []string{"raw: COPY of 1,000", "raw: COPY of 4,000"} {
		if raw, measured := b.find(name); ok && measured {
			notes = append(notes, fmt.Sprintf("bulk of 1,000 / %s: %.2f of its rows/s, %.2f of its CPU", name, bulk.events/raw.events, bulk.total/raw.total))
		}
	}
	return notes
}
