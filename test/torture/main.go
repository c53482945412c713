// Command torture runs the platform as it runs in production and breaks it, again and again, under the load of clients
// that send until they are answered: it kills and pauses processes and databases, wipes Redis, cuts connections around a
// commit, and fills what is bounded. Then it lets everything come to rest and holds what is stored, counted and told
// against what the clients know. It exits 1 when anything differs. The faults and the traffic follow from a seed.
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

// shortDuration is how long faults are injected with -short. Coming to rest takes up to two minutes more.
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
	flags.StringVar(&o.bin, "bin", "bin", "where the services' programs are (make build)")
	flags.StringVar(&o.dir, "dir", "", "where the databases' files and the logs go, and stay; default: a temporary directory, which stays after a failure")
	flags.Uint64Var(&o.seed, "seed", 0, "repeats the faults and the traffic of another run; default: a random one")
	flags.DurationVar(&o.duration, "duration", 3*time.Minute, "how long faults are injected")
	flags.BoolVar(&o.short, "short", false, "for CI: each kind of fault about once")
	flags.IntVar(&o.clients, "clients", 8, "clients that send at the same time")
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
		_, _ = fmt.Fprintf(stderr, "torture: %v\nRun it again with -seed %d.\n", err, o.seed)
		return 1
	}
	return 0
}
