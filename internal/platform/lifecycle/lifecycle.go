// Package lifecycle runs the components of a process: it starts them in order, each when the one before is ready, and
// stops them in reverse order, each with a deadline. The first component that fails stops all.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// defaultStopTimeout bounds the stop of a component that sets none. With the drain delay it stays below the 30 s that
// Kubernetes grants by default.
const defaultStopTimeout = 15 * time.Second

// Component is one long-running part of a process.
type Component struct {
	// Name identifies the component in logs and errors.
	Name string
	// Run does the work until ctx ends. It calls ready (once, or more often without effect) when what starts after it
	// may rely on it. A return before ctx ends stops the whole process, with or without an error: nothing here is
	// meant to finish on its own.
	Run func(ctx context.Context, ready func()) error
	// StopTimeout bounds the time from the end of ctx to the return of Run; 0 means 15 s.
	StopTimeout time.Duration
}

// Options tune Run.
type Options struct {
	Logger *slog.Logger
	// Drain is called when the process is asked to stop and before any component is stopped; it makes /ready answer
	// 503. It is not called after a failure.
	Drain func()
	// DrainDelay is how long all components keep running after Drain, so that load balancers notice.
	DrainDelay time.Duration
}

// running is a started component.
type running struct {
	Component
	cancel context.CancelFunc
	done   chan struct{}
	err    error // valid after done is closed
}

// Run starts the components and blocks until ctx ends or a component returns; then it stops them all. The error joins
// what the components returned, apart from context.Canceled, and says which did not stop in time. Components run in
// contexts that do not end with ctx: ctx is the request to stop, and each component's own context ends only when its
// turn comes. Values of ctx are kept.
func Run(ctx context.Context, opts Options, components ...Component) error {
	base := context.WithoutCancel(ctx)
	failed := make(chan *running, len(components))
	var started []*running
	for _, c := range components {
		r, ok := start(base, ctx, c, failed)
		started = append(started, r)
		if !ok {
			break
		}
		opts.Logger.DebugContext(ctx, "component is ready", "component", c.Name)
	}

	var first error
	select {
	case r := <-failed:
		first = r.exit()
		opts.Logger.ErrorContext(ctx, "component failed, stopping all", "component", r.Name, "err", first)
	case <-ctx.Done():
		opts.Logger.InfoContext(base, "stopping", "cause", context.Cause(ctx))
		drain(base, opts, failed)
	}
	return errors.Join(first, stopAll(base, opts.Logger, started))
}

// start runs c and waits until it is ready. It reports false when c returned first or ctx ended.
func start(base, ctx context.Context, c Component, failed chan<- *running) (*running, bool) {
	runCtx, cancel := context.WithCancel(base)
	r := &running{Component: c, cancel: cancel, done: make(chan struct{})}
	ready := make(chan struct{}, 1)
	go func() {
		r.err = c.Run(runCtx, func() {
			select {
			case ready <- struct{}{}:
			default:
			}
		})
		close(r.done)
		if runCtx.Err() == nil {
			failed <- r
		}
	}()
	select {
	case <-ready:
		return r, true
	case <-r.done:
		return r, false
	case <-ctx.Done():
		return r, false
	}
}

// exit describes the return of a component that nobody asked to stop.
func (r *running) exit() error {
	if r.err == nil {
		return fmt.Errorf("%s: returned although it should run", r.Name)
	}
	return fmt.Errorf("%s: %w", r.Name, r.err)
}

// drain lets the process run on, unready, for the drain delay or until a component fails.
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

// stopAll stops the components in reverse order of their start.
func stopAll(ctx context.Context, logger *slog.Logger, started []*running) error {
	var problems []error
	for _, r := range slices.Backward(started) {
		alreadyGone := isClosed(r.done)
		r.cancel()
		timer := time.NewTimer(timeoutOf(r.Component))
		select {
		case <-r.done:
			if !alreadyGone && r.err != nil && !errors.Is(r.err, context.Canceled) {
				problems = append(problems, fmt.Errorf("stop %s: %w", r.Name, r.err))
			}
		case <-timer.C:
			problems = append(problems, fmt.Errorf("stop %s: not done after %s", r.Name, timeoutOf(r.Component)))
		}
		timer.Stop()
		logger.DebugContext(ctx, "component stopped", "component", r.Name)
	}
	return errors.Join(problems...)
}

func timeoutOf(c Component) time.Duration {
	if c.StopTimeout > 0 {
		return c.StopTimeout
	}
	return defaultStopTimeout
}

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
