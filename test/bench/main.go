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
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are the command line.
type options struct {
	bin         string
	dir         string
	root        string
	page        string
	tables      string
	duration    time.Duration
	connections int
	products    int
	only        string
	selected    *regexp.Regexp // of only
	profiles    string
	peer        string
	before      string
	rounds      int
	short       bool
}

func run(args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.bin, "bin", "bin", "directory of the programs (make build bin/baseline)")
	flags.StringVar(&o.dir, "dir", "", "directory of the databases' files and the logs; default: a temporary directory")
	flags.StringVar(&o.root, "root", ".", "directory of the repository, which has the configuration of nginx")
	flags.StringVar(&o.page, "page", "", "page whose tables are replaced by those of this run; rows that -only leaves out are lost; default: none")
	flags.StringVar(&o.tables, "tables", "", "tables to measure, such as writes,reads; default: all, those of the peer and of versions only with -peer and -before")
	flags.DurationVar(&o.duration, "duration", 0, "how long each load lasts, after a warm-up of a second or half of it; default: 8s, or 2s with -short")
	flags.BoolVar(&o.short, "short", false, "shorter loads, fewer rows of reads and of the peer, one round: some minutes in all")
	flags.IntVar(&o.connections, "connections", 64, "connections for single events, purchases, bulk of 100 and reads; bulk of 1,000 uses an eighth, and reads are measured with eight times as many, too")
	flags.IntVar(&o.products, "products", 10_000, "products with thirty days of numbers, at least 1,000")
	flags.StringVar(&o.only, "only", "", "measure only work whose name matches this regular expression, such as bulk or '^(product|top)'")
	flags.StringVar(&o.profiles, "profile", "", "directory for CPU profiles of every service under every load; profiling makes the numbers a little worse")
	flags.StringVar(&o.peer, "peer", "", "directory of a Fastify + BullMQ service (src/server.js, src/worker.js, sql/, node_modules); measures it and the platform by turns")
	flags.StringVar(&o.before, "before", "", "directory of the programs of another version; measures writes with both by turns (table versions)")
	flags.IntVar(&o.rounds, "rounds", 3, "with -peer and -before: how often each is measured; the table shows medians")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := o.complete(); err != nil {
		_, _ = fmt.Fprintln(stderr, "bench:", err)
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

// complete sets what depends on other options, and checks them.
func (o *options) complete() error {
	if o.duration == 0 {
		o.duration = 8 * time.Second
		if o.short {
			o.duration = 2 * time.Second
		}
	}
	if o.short {
		o.rounds = 1
	}
	if o.products < products {
		return fmt.Errorf("-products: must be at least %d, not %d", products, o.products)
	}
	var err error
	if o.selected, err = regexp.Compile(o.only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	for name := range strings.SplitSeq(o.tables, ",") {
		if name != "" && !slices.ContainsFunc(sections(), func(s section) bool { return s.name == name }) {
			return fmt.Errorf("-tables: there is no table %q", name)
		}
	}
	return nil
}

// bench is a run.
type bench struct {
	options
	progress io.Writer
	platform *platform
	baseline *reference // nil until it is needed
	rows     []row
	notes    []string // under the table of writes
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
	if o.before != "" {
		if o.before, err = filepath.Abs(o.before); err != nil {
			return fmt.Errorf("find the programs of the other version: %w", err)
		}
	}
	if o.profiles != "" {
		if err := os.MkdirAll(o.profiles, 0o750); err != nil {
			return fmt.Errorf("make a directory for profiles: %w", err)
		}
	}
	p, err := startPlatform(ctx, o, "platform")
	defer func() { err = errors.Join(err, p.Stop()) }()
	if err != nil {
		return err
	}
	b := &bench{options: o, progress: progress, platform: p}
	var problems []error
	for _, s := range sections() {
		if b.includes(s) && ctx.Err() == nil {
			problems = append(problems, b.run(ctx, s, out))
		}
	}
	return errors.Join(problems...)
}

// section is a table of the page.
type section struct {
	name    string
	measure func(ctx context.Context, b *bench) (table, error)
}

// sections returns all tables in the order in which they are measured.
func sections() []section {
	return []section{{"reads", readTable}, {"baseline", baselineTable}, {"writes", writeTable}, {"overload", overloadTable}, {"peer", peerTable}, {"versions", versionsTable}}
}

// includes reports whether a table is measured.
func (o options) includes(s section) bool {
	if s.name == "peer" && o.peer == "" || s.name == "versions" && o.before == "" {
		return false
	}
	return o.tables == "" || slices.Contains(strings.Split(o.tables, ","), s.name)
}

// run measures a table, prints it and replaces it in the page. After a failure it prints the rows that it has, and leaves the
// page as it is.
func (b *bench) run(ctx context.Context, s section, out io.Writer) error {
	t, err := s.measure(ctx, b)
	t.writeTo(out)
	_, _ = fmt.Fprintln(out)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if b.page == "" || len(t.rows) == 0 || s.name == "versions" { // which two versions are compared is not for the page
		return nil
	}
	page, err := os.ReadFile(b.page)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	text, err := rewritten(string(page), s.name, b.caption(ctx), t)
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", b.page, err)
	}
	if err := os.WriteFile(b.page, []byte(text), 0o644); err != nil { //nolint:gosec // a page of the repository
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// writeTable measures the workloads of writes.
func writeTable(ctx context.Context, b *bench) (table, error) {
	var problem error
	for _, w := range workloads() {
		if !b.wants(w.name) {
			continue
		}
		if problem = b.platform.emptyLogs(); problem != nil {
			break
		}
		rows, err := w.measure(ctx, b)
		if err != nil {
			problem = fmt.Errorf("%s: %w", w.name, err)
			break
		}
		b.rows = append(b.rows, rows...)
		for _, r := range rows {
			b.report(r)
		}
	}
	t := newWrites(b.rows)
	t.notes = slices.Concat(b.notes, b.copyShares())
	return t, problem
}

// wants reports whether -only selects a workload.
func (o options) wants(name string) bool { return o.selected.MatchString(name) }

// report prints a row as progress.
func (b *bench) report(r row, labels ...string) {
	_, _ = fmt.Fprintf(b.progress, "%s  %s: %s events/s, %.1f µs, p50 %s ms, p99 %s ms\n", time.Now().Format(time.TimeOnly),
		strings.Join(append([]string{r.name}, labels...), ", "), thousands(r.events), r.total, milliseconds(r.p50), milliseconds(r.p99))
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
