// Command fuzz sends valid and broken requests to every operation of openapi.yaml, on a platform that it starts as the services'
// processes with a Postgres and a Redis of their own. It checks that each answer is one that the contract has, that what the contract
// refuses is refused, that nothing internal comes out, that no service crashes, that refusing a request costs about as
// much CPU as accepting one at most, and that all numbers are right in the end. It exits with 1 if anything is wrong. Requests
// are derived from a seed.
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

// options are the command line.
type options struct {
	bin       string
	dir       string
	operation string
	seed      uint64
	duration  time.Duration
}

func run(args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("fuzz", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.bin, "bin", "bin", "directory of the services' programs (make build)")
	flags.StringVar(&o.dir, "dir", "", "directory of the databases' files and the logs, which is kept; default: a temporary directory, which is kept after a finding")
	flags.StringVar(&o.operation, "operation", "", "the only operation (operationId) to send requests to; default: all")
	flags.Uint64Var(&o.seed, "seed", 0, "seed of the run whose requests to repeat; default: random")
	flags.DurationVar(&o.duration, "duration", 5*time.Minute, "how long requests are sent; the operations of a service share it")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if o.seed == 0 {
		o.seed = rand.Uint64N(1<<32) + 1 //nolint:gosec // no secret
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := fuzz(ctx, o, stdout); err != nil {
		_, _ = fmt.Fprintf(stderr, "fuzz: %v\nRepeat it with -seed %d.\n", err, o.seed)
		return 1
	}
	return 0
}
