// Package digest sends digests, the numbers of a project for the last day or week, and the notifications of alerts, by e-mail or to a webhook.
//
// What is sent is a row of workspace.deliveries, unique by its digest or alert and its period. Whoever sends it claims the row first,
// in a transaction of its own, so two processes never send the same one at the same time. A process that dies while it sends leaves the row
// claimed, and nobody can tell whether the receiver has got it. A digest is then marked as failed, and not sent a second time; an alert is.
package digest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/alert"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/period"
)

const (
	// interval is the time between two looks at what waits, by an index. What becomes due is looked for at each quarter of an hour (period.Grid).
	interval = 10 * time.Second
	// atOnce is how many deliveries are under way at the same time, and perProject how many of one project: slow receivers of a project, or of three,
	// hold up nobody else.
	atOnce     = 8
	perProject = 2
	// sendTimeout bounds one attempt, with the connection.
	sendTimeout = 20 * time.Second
	// readTimeout bounds the reading of the numbers before, and composeTimeout that together with the wait for its turn.
	readTimeout    = time.Minute
	composeTimeout = 4 * time.Minute
	// abandoned is the age of a claim whose process must have ended: composing, sending and recording take less, so nobody else
	// claims what a live process is about to send.
	abandoned = 5 * time.Minute
	// maxAttempts and the pauses between them, which double, let a digest wait for a receiver for about four hours.
	maxAttempts = 8
	firstPause  = 2 * time.Minute
	// expired is how long after its time a delivery is given up that nobody may send. It is longer than all attempts take.
	expired = 24 * time.Hour
	// kept is how long deliveries are kept. They are pruned at each pruneInterval.
	kept          = 90 * 24 * time.Hour
	pruneInterval = time.Hour
)

// Options say what a Sender works with.
type Options struct {
	Pool    *pgxpool.Pool
	Mail    Mail
	Webhook Webhook
	Alerts  *alert.Evaluator
	Now     func() time.Time
	Logger  *slog.Logger
}

// Sender sends what is due.
type Sender struct {
	options Options
	store   store
	sent    *prometheus.CounterVec

	planned, pruned time.Time // when that was last done

	reading chan struct{} // full while numbers are read: for one delivery at a time, on one connection
	mu      sync.Mutex
	busy    map[int16]int // deliveries under way by project
	under   int           // all of them
	ended   chan struct{} // has a value when a delivery has ended since the last look
	all     sync.WaitGroup
}

// New returns a sender. It does nothing until Run.
func New(options Options, registerer prometheus.Registerer) *Sender {
	s := &Sender{
		options: options, store: store{pool: options.Pool}, busy: map[int16]int{}, reading: make(chan struct{}, 1), ended: make(chan struct{}, 1),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hpa_aggregator_digests_total", Help: "Attempts to send a digest or an alert by outcome: sent, retried later, or failed for good.",
		}, []string{"outcome"}),
	}
	for _, outcome := range []string{sent, waiting, failed} {
		s.sent.WithLabelValues(outcome)
	}
	registerer.MustRegister(s.sent)
	return s
}

// Run evaluates and sends until ctx ends. Errors are logged; the next round tries again. Alerts are evaluated beside the rest, so slow ones delay no
// digest.
func (s *Sender) Run(ctx context.Context) error {
	defer s.all.Wait()
	s.all.Go(func() { s.evaluate(ctx) })
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		err := s.prepare(ctx)
		for looking := true; looking; {
			err = errors.Join(err, s.dispatch(ctx))
			if err != nil && ctx.Err() == nil {
				s.options.Logger.WarnContext(ctx, "digests and alerts", "err", err)
			}
			err = nil
			select {
			case <-ctx.Done():
				return nil
			case <-s.ended:
			case <-ticker.C:
				looking = false
			}
		}
	}
}

// evaluate evaluates alerts at each interval until ctx ends.
func (s *Sender) evaluate(ctx context.Context) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if err := s.options.Alerts.Evaluate(ctx); err != nil && ctx.Err() == nil {
			s.options.Logger.WarnContext(ctx, "alerts are not evaluated, and are tried again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Round does what Run does at a time, and returns when nothing is under way.
func (s *Sender) Round(ctx context.Context) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	if err := s.options.Alerts.Evaluate(ctx); err != nil {
		return fmt.Errorf("evaluate alerts: %w", err)
	}
	defer s.all.Wait()
	for {
		if err := s.dispatch(ctx); err != nil {
			return err
		}
		s.mu.Lock()
		under := s.under
		s.mu.Unlock()
		if under > 0 {
			<-s.ended
			continue
		}
		select {
		case <-s.ended: // after the look, so others may be due that were held up
		default:
			return nil
		}
	}
}

// prepare plans what is due, and ends what nobody will send.
func (s *Sender) prepare(ctx context.Context) error {
	now := s.options.Now()
	if slot := now.Truncate(period.Grid); !slot.Equal(s.planned) {
		if err := s.plan(ctx, now); err != nil {
			return err
		}
		if err := s.options.Alerts.Plan(ctx, now); err != nil {
			return fmt.Errorf("plan alerts: %w", err)
		}
		s.planned = slot
	}
	if err := s.store.abandon(ctx, now.Add(-abandoned), now); err != nil {
		return err
	}
	if now.Sub(s.pruned) < pruneInterval {
		return nil
	}
	if err := s.store.expire(ctx, now.Add(-expired), now); err != nil {
		return err
	}
	if err := s.store.prune(ctx, now.Add(-kept)); err != nil {
		return err
	}
	s.pruned = now
	return nil
}

// plan makes a row for the newest period of each digest that is due. Periods that ended before the digest was made, or while no process ran for
// longer than a period, are left out: nobody wants last week's numbers seven times.
func (s *Sender) plan(ctx context.Context, now time.Time) error {
	schedules, err := s.store.schedules(ctx)
	if err != nil {
		return err
	}
	for _, d := range schedules {
		newest, due := d.Latest(now)
		if due.Before(d.since) {
			continue
		}
		if err := s.store.add(ctx, d.id, newest, due, now); err != nil {
			return err
		}
	}
	return nil
}

// dispatch starts the deliveries that are due, as many as may be under way.
func (s *Sender) dispatch(ctx context.Context) error {
	for ctx.Err() == nil {
		s.mu.Lock()
		full, busy := s.under >= atOnce, []int16{}
		for project, under := range s.busy {
			if under >= perProject {
				busy = append(busy, project)
			}
		}
		s.mu.Unlock()
		if full {
			return nil
		}
		one, found, err := s.store.claim(ctx, busy, s.options.Now())
		if err != nil || !found {
			return err
		}
		s.mu.Lock()
		s.under++
		s.busy[one.project]++
		s.mu.Unlock()
		s.all.Go(func() {
			defer s.end(one.project)
			s.deliver(ctx, one)
		})
	}
	return nil
}

// end notes that a delivery of a project has ended.
func (s *Sender) end(project int16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.under--
	if s.busy[project]--; s.busy[project] == 0 {
		delete(s.busy, project)
	}
	select {
	case s.ended <- struct{}{}:
	default:
	}
}
