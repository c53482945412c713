// Package digest sends digests: the numbers of a project for the last day or week, by e-mail or to a webhook.
//
// A digest of a period is a row of workspace.deliveries, unique by its schedule and period. Whoever sends it claims the row first,
// in a transaction of its own, so two processes never send the same one. A process that dies while it sends leaves the row claimed, and
// nobody can tell whether the receiver has got it: it is then marked as failed, and not sent a second time.
package digest

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

const (
	// interval is the time between two looks at what is due.
	interval = 10 * time.Second
	// atOnce is how many digests are sent at the same time, so a slow receiver holds up few others.
	atOnce = 4
	// sendTimeout bounds one attempt, with the connection.
	sendTimeout = 20 * time.Second
	// abandoned is the age of a claim whose process must have ended.
	abandoned = 5 * time.Minute
	// maxAttempts and the pauses between them, which double, let a digest wait for a receiver for about four hours.
	maxAttempts = 8
	firstPause  = 2 * time.Minute
	// kept is how long deliveries are kept.
	kept = 90 * 24 * time.Hour
)

// Options say what a Sender works with.
type Options struct {
	Pool    *pgxpool.Pool
	Mail    Mail
	Webhook Webhook
	Now     func() time.Time
	Logger  *slog.Logger
}

// Sender sends what is due.
type Sender struct {
	options Options
	store   store
	sent    *prometheus.CounterVec
}

// New returns a sender. It does nothing until Run.
func New(options Options, registerer prometheus.Registerer) *Sender {
	s := &Sender{
		options: options, store: store{pool: options.Pool},
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hpa_aggregator_digests_total", Help: "Attempts to send a digest by outcome: sent, retried later, or failed for good.",
		}, []string{"outcome"}),
	}
	for _, outcome := range []string{sent, waiting, failed} {
		s.sent.WithLabelValues(outcome)
	}
	registerer.MustRegister(s.sent)
	return s
}

// Run sends until ctx ends. Errors are logged; the next round tries again.
func (s *Sender) Run(ctx context.Context) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if err := s.Round(ctx); err != nil && ctx.Err() == nil {
			s.options.Logger.WarnContext(ctx, "digests", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Round plans the digests whose time has come, and sends all that are due.
func (s *Sender) Round(ctx context.Context) error {
	now := s.options.Now()
	if err := s.plan(ctx, now); err != nil {
		return err
	}
	if err := s.store.abandon(ctx, now.Add(-abandoned), now); err != nil {
		return err
	}
	if err := s.store.prune(ctx, now.Add(-kept)); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for range atOnce {
		group.Go(func() error {
			for {
				one, found, err := s.store.claim(ctx, s.options.Now())
				if err != nil || !found {
					return err
				}
				s.deliver(ctx, one)
			}
		})
	}
	return group.Wait() //nolint:wrapcheck // it is that of the store
}

// plan makes a row for the newest period of each digest that is due. Periods that ended before the digest was made, or while no process ran for
// longer than a period, are left out: nobody wants last week's numbers seven times.
func (s *Sender) plan(ctx context.Context, now time.Time) error {
	schedules, err := s.store.schedules(ctx)
	if err != nil {
		return err
	}
	for _, d := range schedules {
		period, due := d.Latest(now)
		if due.Before(d.since) {
			continue
		}
		if err := s.store.add(ctx, d.id, period, now); err != nil {
			return err
		}
	}
	return nil
}

// failure is why a digest could not be sent, for the people who set it up.
type failure struct {
	text  string
	final bool // another attempt cannot succeed, or may send it twice
	cause error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.cause }

// deliver sends a claimed digest and records what became of it, even when the process is about to end.
func (s *Sender) deliver(ctx context.Context, d delivery) {
	err := s.send(ctx, &d)
	d.state, d.failure = sent, ""
	if err != nil {
		d.state, d.failure = waiting, "The digest could not be computed."
		final := d.test || d.attempts >= maxAttempts
		if f, ok := errors.AsType[*failure](err); ok {
			d.failure, final = f.text, final || f.final
		}
		d.next = s.options.Now().Add(firstPause << (d.attempts - 1))
		if final {
			d.state = failed
		}
		s.options.Logger.WarnContext(ctx, "a digest cannot be sent", "digest", d.digest, "delivery", d.id, "attempt", d.attempts, "state", d.state, "err", err, "cause", errors.Unwrap(err))
	}
	s.sent.WithLabelValues(d.state).Inc()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	if err := s.store.finish(ctx, d, s.options.Now()); err != nil {
		s.options.Logger.ErrorContext(ctx, "what became of a digest is not recorded, so it counts as failed in a few minutes", "delivery", d.id, "state", d.state, "err", err)
	}
}

func (s *Sender) send(ctx context.Context, d *delivery) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	report, err := s.store.report(ctx, d.target, d.period)
	if err != nil {
		return err
	}
	d.complete = report.Complete
	if d.url != "" {
		return s.options.Webhook.send(ctx, d, report, s.options.Now())
	}
	return s.options.Mail.send(ctx, d, report)
}
