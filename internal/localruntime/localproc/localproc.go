// Package localproc starts the database programs that a laptop or a test runs privately: as an unprivileged user, out of
// reach of the terminal's Ctrl-C, on a free port of the loopback interface, and never longer than this process lives,
// however it dies. It is for Linux: the promise about dying rests on its parent death signals.
package localproc

import (
	"context"
	"time"
)

// Pause waits for d or until ctx ends, whose cause it then returns.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
