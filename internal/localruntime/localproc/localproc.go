// Package localproc runs private database servers for a laptop or a test: as an unprivileged user, on a free port of the
// loopback interface, unaffected by a Ctrl-C at the terminal. A server never outlives this process, even if the process
// crashes; this relies on Linux's parent-death signals.
package localproc

import (
	"context"
	"time"
)

// Pause waits for d. It returns early with the cause of ctx when ctx ends.
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
