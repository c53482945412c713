// Command hp-analytics is the whole platform in one binary: all services behind one port, and the tools to run them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/cli"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
}
