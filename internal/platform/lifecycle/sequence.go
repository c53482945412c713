package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// sequence is a list of components that were started in order.
type sequence struct {
	running []*running
	failed  chan *running // receives each component that returned before it was asked to stop
	ready   bool          // every component became ready
}

// running is a started component.
type running struct {
	Component
	cancel context.CancelFunc
	done   chan struct{}
	err    error // valid after done is closed
}

// startAll starts components in contexts derived from base, each when the one before is ready. It gives up at the first
// that returns instead, and when ctx ends.
func startAll(base, ctx context.Context, logger *slog.Logger, components []Component) *sequence {
	s := &sequence{failed: make(chan *running, len(components))}
	for _, c := range components {
		if !s.start(base, ctx, c) {
			return s
		}
		logger.DebugContext(ctx, "component is ready", "component", c.Name)
	}
	s.ready = true
	return s
}

// start runs c and waits until it is ready. It returns false when c returned first or ctx ended.
func (s *sequence) start(base, ctx context.Context, c Component) bool {
	runCtx, cancel := context.WithCancel(base)
	r := &running{Component: c, cancel: cancel, done: make(chan struct{})}
	s.running = append(s.running, r)
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
			s.failed <- r
		}
	}()
	select {
	case <-ready:
		return true
	case <-r.done:
		return false
	case <-ctx.Done():
		return false
	}
}

// stop stops the components in reverse order of their start.
func (s *sequence) stop(ctx context.Context, logger *slog.Logger) error {
	var problems []error
	for _, r := range slices.Backward(s.running) {
		if err := r.stop(); err != nil {
			problems = append(problems, err)
		}
		logger.DebugContext(ctx, "component stopped", "component", r.Name)
	}
	return errors.Join(problems...)
}

// stop ends the component's context and waits for its return. The error of a component that had already returned is left
// out: exit reports it.
func (r *running) stop() error {
	select {
	case <-r.done:
		r.cancel()
		return nil
	default:
	}
	r.cancel()
	timer := time.NewTimer(r.stopTimeout())
	defer timer.Stop()
	select {
	case <-r.done:
		if r.err != nil && !errors.Is(r.err, context.Canceled) {
			return fmt.Errorf("stop %s: %w", r.Name, r.err)
		}
		return nil
	case <-timer.C:
		return fmt.Errorf("stop %s: not done after %s", r.Name, r.stopTimeout())
	}
}

// exit describes the return of a component that was not asked to stop.
func (r *running) exit() error {
	if r.err == nil {
		return fmt.Errorf("%s: returned although it should run", r.Name)
	}
	return fmt.Errorf("%s: %w", r.Name, r.err)
}
