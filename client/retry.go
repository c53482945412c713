package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// The defaults of a RetryPolicy.
const (
	defaultInitialWait    = 200 * time.Millisecond
	defaultMaxWait        = 5 * time.Second
	defaultMaxElapsed     = time.Minute
	defaultAttemptTimeout = 30 * time.Second
)

// RetryPolicy says how long and how often a call is repeated. A field that is zero has its default.
type RetryPolicy struct {
	// MaxElapsed ends a call that has not succeeded: there is no attempt whose wait would end later. The default is one
	// minute; for a producer that has to outlast a restart of the platform's database, a few minutes.
	MaxElapsed time.Duration
	// MaxAttempts bounds the attempts; 1 turns retries off. By default only time bounds them.
	MaxAttempts uint
	// InitialWait is the mean wait before the second attempt, 200 ms by default. It grows by half each time, up to MaxWait,
	// and is up to 50 % longer or shorter at random, so that callers that failed together do not return together.
	InitialWait time.Duration
	// MaxWait bounds the mean wait, 5 s by default. The platform's Retry-After may ask for more.
	MaxWait time.Duration
	// AttemptTimeout bounds one attempt from connecting to the end of the answer, 30 s by default. A platform that
	// vanished without closing its connections is noticed after this time.
	AttemptTimeout time.Duration
	// OnRetry is called before each wait, with the error of the attempt. It may be called by several goroutines at once.
	OnRetry func(err error, wait time.Duration)
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	orDefault := func(value *time.Duration, otherwise time.Duration) {
		if *value == 0 {
			*value = otherwise
		}
	}
	orDefault(&p.MaxElapsed, defaultMaxElapsed)
	orDefault(&p.InitialWait, defaultInitialWait)
	orDefault(&p.MaxWait, defaultMaxWait)
	orDefault(&p.AttemptTimeout, defaultAttemptTimeout)
	if p.OnRetry == nil {
		p.OnRetry = func(error, time.Duration) {}
	}
	return p
}

// transientError is an error that a later attempt may not have.
type transientError struct {
	cause   error
	after   time.Duration // asked for by the platform; 0 if it did not say
	notDone bool          // the platform has certainly not done what was asked for
}

// Error returns the text of the cause.
func (e *transientError) Error() string { return e.cause.Error() }

// Unwrap returns the cause.
func (e *transientError) Unwrap() error { return e.cause }

// connectionError returns the error of a request without an answer: the cause of the context's end if the caller has given
// up, a transient error otherwise.
func connectionError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // the method and the path are added by do
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return err
	}
	op, ok := errors.AsType[*net.OpError](err)
	return &transientError{cause: err, notDone: ok && op.Op == "dial"}
}

// run makes attempts until one succeeds, fails for good, or the policy or the context ends them.
func (p RetryPolicy) run(ctx context.Context, call *call, attempt func() error) error {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = p.InitialWait, p.MaxWait
	attempts, last := 0, error(nil)
	_, err := backoff.Retry(ctx,
		func() (struct{}, error) {
			attempts++
			last = attempt()
			return struct{}{}, forBackoff(last, call.isRepeatable())
		},
		backoff.WithBackOff(waits),
		backoff.WithMaxElapsedTime(p.MaxElapsed),
		backoff.WithMaxTries(p.MaxAttempts),
		backoff.WithNotify(func(_ error, wait time.Duration) { p.OnRetry(last, wait) }),
	)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && !errors.Is(last, context.Cause(ctx)):
		return fmt.Errorf("%w, after %d attempts: %w", context.Cause(ctx), attempts, last)
	case attempts > 1:
		return fmt.Errorf("after %d attempts: %w", attempts, last)
	default:
		return last
	}
}

// forBackoff tells the backoff what to do after an attempt: stop, wait as it computes, or wait as long as the platform
// asked for and up to a tenth longer at random.
func forBackoff(err error, repeatable bool) error {
	transient, ok := errors.AsType[*transientError](err)
	switch {
	case err == nil:
		return nil
	case !ok, !transient.notDone && !repeatable:
		return backoff.Permanent(err)
	case transient.after > 0:
		jitter := time.Duration(rand.Int64N(int64(transient.after/10) + 1)) //nolint:gosec // G404: spreads load, keeps no secret
		return &backoff.RetryAfterError{Duration: transient.after + jitter}
	default:
		return err
	}
}

// isRepeatable reports whether a call may be sent again when nobody knows whether it has been done.
func (c *call) isRepeatable() bool {
	switch {
	case c.repeatable, c.method == http.MethodGet:
		return true
	case c.header.Get("If-Match") != "":
		return false // the second attempt would meet the version that the first has made
	case c.method == http.MethodDelete:
		return true
	}
	switch c.operation {
	case "login", "logout", "bulkUpsertProducts", "createEvent", "createEventsBulk", "createPurchase", "createPurchasesBulk",
		"createOrder", "createOrdersBulk", "createRefund", "createStandaloneRefund", "createStandaloneRefundsBulk", "beginImport":
		return true
	default:
		return false
	}
}
