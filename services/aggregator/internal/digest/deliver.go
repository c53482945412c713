package digest

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// failure is why something could not be sent, for the people who set it up.
type failure struct {
	text  string
	final bool // another attempt cannot succeed, or may send it twice
	cause error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.cause }

// deliver sends a claimed delivery and records what became of it, even when the process is about to end.
func (s *Sender) deliver(ctx context.Context, d delivery) {
	err := s.send(ctx, &d)
	d.state, d.failure = sent, ""
	if err != nil {
		d.state, d.failure = waiting, "The numbers could not be computed."
		final := d.test || d.attempts >= maxAttempts
		if f, ok := errors.AsType[*failure](err); ok {
			d.failure, final = f.text, final || f.final
		}
		d.next = s.options.Now().Add(firstPause << (d.attempts - 1))
		if final {
			d.state = failed
		}
		s.options.Logger.WarnContext(ctx, "a digest or an alert cannot be sent", "digest", d.digest, "alert", d.alert, "delivery", d.id, "attempt", d.attempts, "state", d.state,
			"err", err, "cause", errors.Unwrap(err))
	}
	s.sent.WithLabelValues(d.state).Inc()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	if err := s.store.finish(ctx, d, s.options.Now()); err != nil {
		s.options.Logger.ErrorContext(ctx, "what became of a delivery is not recorded, so it counts as abandoned in a few minutes", "delivery", d.id, "state", d.state, "err", err)
	}
}

// composed is what is sent: an e-mail or the body of a request.
type composed struct {
	subject, text string
	body          any
}

func (s *Sender) send(ctx context.Context, d *delivery) error {
	m, err := s.compose(ctx, d)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if d.url != "" {
		return s.options.Webhook.send(ctx, d, m.body, s.options.Now())
	}
	return s.options.Mail.send(ctx, d, m.subject, m.text)
}

// compose waits for its turn, reads the numbers and writes the message, within composeTimeout.
func (s *Sender) compose(ctx context.Context, d *delivery) (composed, error) {
	ctx, cancel := context.WithTimeout(ctx, composeTimeout)
	defer cancel()
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return composed{}, fmt.Errorf("wait until the numbers of others are read: %w", ctx.Err())
	}
	ctx, cancel = context.WithTimeout(ctx, readTimeout)
	defer cancel()
	late := !d.test && s.options.Now().Sub(d.due) > lateness
	if d.alert != nil {
		return s.composeAlert(ctx, d, late)
	}
	report, err := s.store.report(ctx, d.target, d.period)
	if err != nil {
		return composed{}, err
	}
	d.complete = report.Complete
	return composed{
		subject: fmt.Sprintf("%s: %s, %s", d.title, d.name, report.Period.String()), text: text(d, report, late, s.options.Mail.Dashboard), body: hookOf(d, report, late),
	}, nil
}

// utc writes an instant as e-mails have it.
func utc(at time.Time) string { return at.UTC().Format("15:04 on 2 January 2006 (UTC)") }
