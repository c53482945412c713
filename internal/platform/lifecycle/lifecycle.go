// Package lifecycle runs the components of a process: it starts them in order, each when the one before is ready, and
// stops them in reverse order, each with a deadline. The first component that fails stops all.
package lifecycle

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Options tune Run.
type Options struct {
	Logger *slog.Logger
	// Drain is called when the process is asked to stop, before any component stops; it makes /ready answer 503. It is
	// not called after a failure.
	Drain func()
	// DrainDelay is how long all components keep running after Drain, so that load balancers stop sending.
	DrainDelay time.Duration
}

// Run starts the components and blocks until ctx ends or a component returns; then it stops them all. The error joins
// what the components returned, except for context.Canceled, and names those that did not stop in time.
//
// Components run in contexts that keep the values of ctx but do not end with it: the end of ctx is the request to stop,
// and the context of a component ends when its turn in the stop order comes.
func Run(ctx context.Context, opts Options, components ...Component) error {
	base := context.WithoutCancel(ctx)
	s := startAll(base, ctx, opts.Logger, components)
	var first error
	select {
	case r := <-s.failed:
		first = r.exit()
		opts.Logger.ErrorContext(ctx, "component failed, stopping all", "component", r.Name, "err", first)
	case <-ctx.Done():
		opts.Logger.InfoContext(base, "stopping", "cause", context.Cause(ctx))
		drain(base, opts, s.failed)
	}
	return errors.Join(first, s.stop(base, opts.Logger))
}

// drain keeps the process running, unready, for the drain delay or until a component fails.
func drain(ctx context.Context, opts Options, failed <-chan *running) {
	if opts.Drain != nil {
		opts.Drain()
	}
	if opts.DrainDelay <= 0 {
		return
	}
	timer := time.NewTimer(opts.DrainDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case r := <-failed:
		opts.Logger.WarnContext(ctx, "component failed while draining", "component", r.Name, "err", r.err)
	}
}
