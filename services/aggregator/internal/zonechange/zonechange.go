// Package zonechange changes the time zones by whose days projects are counted, when their settings name others. Each change is made in
// steps (rebuild.MoveZone), each of which is one transaction, so a process may end at any moment and the next one continues.
package zonechange

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
)

const (
	// look is how often the mover looks for changes.
	look = 2 * time.Second
	// rest is the least time between two rounds of steps. The time for which the steps kept folds out is added, so that folds have
	// at least half of the time.
	rest = 100 * time.Millisecond
	// afterRebuild is how long another rebuild is left alone: each attempt opens connections, and a rebuild can take hours.
	afterRebuild = 5 * time.Second
	// firstRetry and lastRetry bound the time until a step that failed is tried again. It doubles with every failure.
	firstRetry = 2 * time.Second
	lastRetry  = 5 * time.Minute
)

// Options say what a Mover works on.
type Options struct {
	Pool   *pgxpool.Pool
	Redis  *platformredis.Client // where version tokens are published; may be nil
	Turn   rebuild.Turn          // of the jobs of the process that rebuild
	Now    func() time.Time
	Logger *slog.Logger
}

// Mover takes the steps of all changes of time zones. Only one may run.
type Mover struct {
	options Options
	retries map[string]retry // by project, after failures
	open    prometheus.Gauge
	steps   *prometheus.CounterVec
	rows    prometheus.Counter
}

// retry says when a step that failed is tried again.
type retry struct {
	at    time.Time
	pause time.Duration
}

// New returns a mover. It does nothing until Run.
func New(options Options, registerer prometheus.Registerer) *Mover {
	m := &Mover{
		options: options,
		retries: map[string]retry{},
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hpa_aggregator_zone_changes", Help: "Changes of time zones of projects that are not finished; known to the leader, 0 in other replicas.",
		}),
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hpa_aggregator_zone_steps_total", Help: "Steps of changes of time zones by outcome: done or error.",
		}, []string{"outcome"}),
		rows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_aggregator_zone_rows_total", Help: "Raw rows that were counted again because the time zone of their project changed.",
		}),
	}
	for _, outcome := range []string{"done", "error"} {
		m.steps.WithLabelValues(outcome)
	}
	registerer.MustRegister(m.open, m.steps, m.rows)
	return m
}

// Run changes time zones until ctx ends. A step that fails is recorded in stats.zone_changes, logged and tried again.
func (m *Mover) Run(ctx context.Context) error {
	defer m.open.Set(0)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			timer.Reset(m.Round(ctx))
		}
	}
}

// Round takes one step of each change that is due, so that no project waits for the end of another's. It returns how long to wait until
// the next round.
func (m *Mover) Round(ctx context.Context) time.Duration {
	due, err := rebuild.ZoneChangesDue(ctx, m.options.Pool)
	if err != nil {
		if ctx.Err() == nil {
			m.options.Logger.WarnContext(ctx, "changes of time zones cannot be listed", "err", err)
		}
		return look
	}
	m.open.Set(float64(len(due)))
	for slug := range m.retries {
		if !slices.Contains(due, slug) {
			delete(m.retries, slug)
		}
	}
	moved, locked := false, time.Duration(0)
	for _, slug := range due {
		if ctx.Err() != nil || m.options.Now().Before(m.retries[slug].at) {
			continue
		}
		step, err := m.step(ctx, slug)
		switch {
		case errors.Is(err, rebuild.ErrRunning):
			return afterRebuild
		case err == nil:
			moved, locked = true, locked+step.Locked
		}
	}
	if moved {
		return max(rest, locked)
	}
	return look
}

// step takes the next step of the change of a project's zone.
func (m *Mover) step(ctx context.Context, slug string) (step rebuild.ZoneStep, err error) {
	err = m.options.Turn.Do(ctx, func() (err error) {
		step, err = rebuild.MoveZone(ctx, m.options.Pool, slug, m.options.Now(), m.options.Redis)
		return err
	})
	switch {
	case errors.Is(err, rebuild.ErrRunning) || ctx.Err() != nil:
		return step, err
	case err != nil:
		m.failed(ctx, slug, err)
		return step, err
	}
	delete(m.retries, slug)
	if step.PlannedAnew {
		m.options.Logger.InfoContext(ctx, "a step of a change of a time zone is planned anew, because the project changed meanwhile", "project", slug)
		return step, nil
	}
	m.steps.WithLabelValues("done").Inc()
	m.rows.Add(float64(step.Rows))
	m.options.Logger.InfoContext(ctx, "a step of a change of a time zone is done", "project", slug, "from", step.From, "to", step.To,
		"since", step.Since, "days_done", step.Done, "days_total", step.Total, "rows", step.Rows, "finished", step.Finished,
		"took", step.Took, "folds_waited", step.Locked)
	if step.Unpublished != nil {
		m.options.Logger.WarnContext(ctx, "cached answers live until they expire", "project", slug, "err", step.Unpublished)
	}
	return step, nil
}

// failed records a failure and when to try again.
func (m *Mover) failed(ctx context.Context, slug string, failure error) {
	m.steps.WithLabelValues("error").Inc()
	pause := min(max(2*m.retries[slug].pause, firstRetry), lastRetry)
	m.retries[slug] = retry{at: m.options.Now().Add(pause), pause: pause}
	m.options.Logger.WarnContext(ctx, "a change of a time zone does not go on", "project", slug, "err", failure, "next", pause)
	if err := rebuild.ZoneChangeFailed(ctx, m.options.Pool, slug, failure); err != nil {
		m.options.Logger.WarnContext(ctx, "the failure of a change of a time zone cannot be recorded", "project", slug, "err", err)
	}
}
