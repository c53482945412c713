package lifecycle

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// defaultStopTimeout applies to a component that sets none. Together with the drain delay it stays below the 30 s that
// Kubernetes grants by default.
const defaultStopTimeout = 15 * time.Second

// Component is one long-running part of a process.
type Component struct {
	// Name identifies the component in logs and errors.
	Name string
	// Run does the work until ctx ends. It calls ready as soon as the components that start after it may rely on it;
	// further calls have no effect. A return before ctx ends, with or without an error, stops the whole process.
	Run func(ctx context.Context, ready func()) error
	// StopTimeout bounds the time from the end of ctx to the return of Run; 0 means 15 s.
	StopTimeout time.Duration
}

func (c Component) stopTimeout() time.Duration {
	if c.StopTimeout > 0 {
		return c.StopTimeout
	}
	return defaultStopTimeout
}

// Loop returns a component that is ready at once and runs work, which returns when ctx ends.
func Loop(name string, work func(ctx context.Context)) Component {
	return Component{Name: name, Run: func(ctx context.Context, ready func()) error {
		ready()
		work(ctx)
		return nil
	}}
}

// OnStop returns a component that only calls stop, when its turn in the stop order comes.
func OnStop(name string, stop func()) Component {
	return Component{Name: name, Run: func(ctx context.Context, ready func()) error {
		ready()
		<-ctx.Done()
		stop()
		return nil
	}}
}

// Group returns a component that consists of others. They start in order, the group is ready when the last one is, and
// they stop in reverse order. The first that fails stops the group. Errors are returned, not logged: whoever runs the
// group logs them.
func Group(name string, components ...Component) Component {
	return Component{Name: name, Run: func(ctx context.Context, ready func()) error {
		base, logger := context.WithoutCancel(ctx), slog.New(slog.DiscardHandler)
		s := startAll(base, ctx, logger, components)
		if s.ready {
			ready()
		}
		var first error
		select {
		case r := <-s.failed:
			first = r.exit()
		case <-ctx.Done():
		}
		return errors.Join(first, s.stop(base, logger))
	}}
}
