package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// The waits between tries: 0.2 s at first, then more and more up to 5 s, each up to half longer or shorter by chance, so
// that senders who lost the same platform do not come back all at once.
const (
	firstWait = 200 * time.Millisecond
	maxWait   = 5 * time.Second
)

// transientError is one that a later try may not have.
type transientError struct {
	cause error
	after time.Duration // as the platform asked for; 0 if it did not
}

// Error returns the text of the cause.
func (e *transientError) Error() string { return e.cause.Error() }

// Unwrap returns the cause.
func (e *transientError) Unwrap() error { return e.cause }

// do makes a call, again and again while its errors are transient and patience lasts.
func (c *Client) do(ctx context.Context, call *call) error {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = firstWait, maxWait
	_, err := backoff.Retry(ctx,
		func() (struct{}, error) { return struct{}{}, forBackoff(c.once(ctx, call)) },
		backoff.WithBackOff(waits),
		backoff.WithMaxElapsedTime(c.patience),
		backoff.WithNotify(func(err error, _ time.Duration) {
			c.retries.Add(1)
			c.retrying(err)
		}),
	)
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*transientError](err); ok {
		return fmt.Errorf("%s %s: tried for %s: %w", call.method, call.path, c.patience, err)
	}
	return fmt.Errorf("%s %s: %w", call.method, call.path, err)
}

// forBackoff tells the backoff what to do about err: end, wait as it thinks, or wait as long as the platform asked,
// and a little longer by chance.
func forBackoff(err error) error {
	if err == nil {
		return nil
	}
	transient, ok := errors.AsType[*transientError](err)
	switch {
	case !ok:
		return backoff.Permanent(err)
	case transient.after > 0:
		jitter := time.Duration(rand.Int64N(int64(transient.after/10) + 1)) //nolint:gosec // G404: spreads load, keeps no secret
		return fmt.Errorf("%w (%w)", err, &backoff.RetryAfterError{Duration: transient.after + jitter})
	default:
		return err
	}
}
