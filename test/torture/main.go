// Command torture runs the platform the way production does and injects faults while clients send until everything is
// acknowledged: it kills and pauses processes and databases, wipes Redis, cuts connections around a commit, and fills
// bounded queues. Then it waits until the platform is idle, and compares what is stored, counted and reported with what the
// clients know. It exits with 1 if anything differs. Faults and traffic are derived from a seed.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// shortDuration is how long faults are injected with -short. The platform takes up to two minutes more to become idle.
const shortDuration = 70 * time.Second

// options are the command line.
type options struct {
	bin      string
	dir      string
	seed     uint64
	duration time.Duration
	short    bool
	clients  int
}

func run(args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("torture", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.bin, "bin", "bin", "directory of the services' programs (make build)")
	flags.StringVar(&o.dir, "dir", "", "directory of the databases' files and the logs, which is kept; default: a temporary directory, which is kept after a failure")
	flags.Uint64Var(&o.seed, "seed", 0, "seed of the run whose faults and traffic to repeat; default: random")
	flags.DurationVar(&o.duration, "duration", 3*time.Minute, "how long faults are injected")
	flags.BoolVar(&o.short, "short", false, "for CI: about one fault of each kind")
	flags.IntVar(&o.clients, "clients", 8, "concurrent clients")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if o.seed == 0 {
		o.seed = rand.Uint64N(1<<32) + 1 //nolint:gosec // no secret
	}
	if o.short {
		o.duration = shortDuration
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := torture(ctx, o, stdout); err != nil {
		_, _ = fmt.Fprintf(stderr, "torture: %v\nRepeat it with -seed %d.\n", err, o.seed)
		return 1
	}
	return 0
}
