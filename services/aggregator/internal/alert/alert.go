// Package alert evaluates alerts: once for each period that is over and complete it compares a metric of a project with what is expected, and
// plans a notification, which package digest sends.
//
// A period is a row of workspace.evaluations, unique by its alert. It waits until all is counted that was received before the end of the period.
// The row changes to evaluated in the transaction that adds the notification to workspace.deliveries, so there is one at most, however many
// processes evaluate.
package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/stats/zones"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/period"
)

// kept is how long evaluations are kept: 90 of weeks, and some.
const kept = 2 * 365 * 24 * time.Hour

// Options say what an Evaluator works with.
type Options struct {
	Pool   *pgxpool.Pool // of the role hp_aggregator
	Now    func() time.Time
	Logger *slog.Logger
}

// Evaluator evaluates alerts.
type Evaluator struct {
	Options

	evaluated *prometheus.CounterVec
}

// The outcomes of evaluations in the metric.
const (
	quiet     = "quiet"
	fired     = "fired"
	recovered = "recovered"
	skipped   = "skipped"
)

// New returns an evaluator.
func New(options Options, registerer prometheus.Registerer) *Evaluator {
	e := &Evaluator{Options: options, evaluated: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hpa_aggregator_alerts_total",
		Help: "Evaluations of alerts by outcome: the condition does not hold (quiet), it holds (fired), it holds no more (recovered), or nothing can be said (skipped).",
	}, []string{"outcome"})}
	for _, outcome := range []string{quiet, fired, recovered, skipped} {
		e.evaluated.WithLabelValues(outcome)
	}
	registerer.MustRegister(e.evaluated)
	return e
}

// task is a period of an alert.
type task struct {
	id     uuid.UUID // of the evaluation
	alert  uuid.UUID
	metric Metric
	rule   Rule
	notify bool // that the condition holds no more
	period period.Period
	due    time.Time
	reason string // why it waits, as stored
}

// Evaluate evaluates the periods that wait and are complete by now. A failure of one alert is logged and holds up no other.
func (e *Evaluator) Evaluate(ctx context.Context) error {
	tasks, err := e.waiting(ctx)
	if err != nil {
		return err
	}
	for i := range tasks {
		if err := e.evaluate(ctx, &tasks[i]); err != nil {
			if ctx.Err() != nil {
				return ctx.Err() //nolint:wrapcheck // the process ends
			}
			e.Logger.WarnContext(ctx, "an alert cannot be evaluated, and is tried again", "alert", tasks[i].alert, "evaluation", tasks[i].id, "err", err)
		}
	}
	return nil
}

func (e *Evaluator) evaluate(ctx context.Context, t *task) error {
	asOf := e.Now()
	var v Verdict
	var obstacle string
	err := e.snapshot(ctx, func(tx pgx.Tx) (err error) {
		if obstacle, err = missing(ctx, tx, t.metric.Project, t.period); err != nil || obstacle != "" {
			return err
		}
		v, err = t.judge(ctx, tx)
		return err
	})
	switch {
	case err != nil:
		return err
	case obstacle == t.reason && obstacle != "":
		return nil
	case obstacle != "":
		return e.wait(ctx, t.id, obstacle)
	}
	return e.finish(ctx, t, v, asOf)
}

func (e *Evaluator) snapshot(ctx context.Context, read func(pgx.Tx) error) error {
	return postgres.InTx(ctx, e.Pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, read)
}

// judge reads the numbers of a task and judges them.
func (t *task) judge(ctx context.Context, tx pgx.Tx) (Verdict, error) {
	n, err := open(ctx, tx, t.metric)
	if errors.Is(err, errNoProduct) {
		return Verdict{Reason: "The project has no product with this id."}, nil
	}
	if err != nil {
		return Verdict{}, err
	}
	value, err := n.value(ctx, t.period)
	if err != nil {
		return Verdict{}, err
	}
	if value == nil {
		return Verdict{Reason: "There were no views, so there is no conversion."}, nil
	}
	var past []float64
	if t.rule.Baseline != "" {
		if past, err = n.past(ctx, t.rule.Baseline, t.rule.Condition == "anomaly", t.period); err != nil {
			return Verdict{}, err
		}
	}
	return t.rule.judge(*value, past, t.metric.counted()), nil
}

// missing says what of a period is not counted; it is empty when the period is complete. A period is evaluated an hour after its end or later, and
// no transaction of a writer is that old, so every batch that was received before the end is visible. Batches that failed stay uncounted until
// somebody repairs them, so only those with events of the period matter.
func missing(ctx context.Context, tx pgx.Tx, project int16, p period.Period) (string, error) {
	const query = `
		SELECT coalesce(sum(rows) FILTER (WHERE NOT failed), 0)::bigint, coalesce(sum(rows) FILTER (WHERE failed AND min_ts < $2 AND max_ts >= $3), 0)::bigint
		FROM ingest.unfolded_batches
		WHERE project = $1 AND received_at < $2`
	history, err := zones.Of(ctx, tx, project)
	if err != nil {
		return "", err //nolint:wrapcheck // it says what it is
	}
	zone := history.Current()
	var pending, failed int64
	if err := tx.QueryRow(ctx, query, project, p.Ends(zone), p.First.Start(zone)).Scan(&pending, &failed); err != nil {
		return "", fmt.Errorf("read the backlog: %w", err)
	}
	switch {
	case pending > 0:
		return "Not everything is counted that was received before the end of the period.", nil
	case failed > 0:
		return "Events of the period could not be counted. An admin can repair that.", nil
	}
	return "", nil
}

// Find judges a period without storing anything, for a test. The period may be incomplete.
func (e *Evaluator) Find(ctx context.Context, alert uuid.UUID, p period.Period) (n Notice, err error) {
	n.AsOf = e.Now()
	err = e.snapshot(ctx, func(tx pgx.Tx) error {
		t, zone, err := read(ctx, tx, alert)
		if err != nil {
			return err
		}
		t.period = p
		v, err := t.judge(ctx, tx)
		n.Metric, n.Rule, n.Zone, n.Verdict = t.metric, t.rule, zone, v
		return err
	})
	if err != nil {
		return Notice{}, fmt.Errorf("evaluate an alert for a test: %w", err)
	}
	return n, nil
}

// Notice is what a notification says.
type Notice struct {
	Verdict
	Metric

	Rule      Rule
	Zone      string
	Recovered bool
	AsOf      time.Time
}

// Stored returns what the evaluation of a period found.
func (e *Evaluator) Stored(ctx context.Context, alert uuid.UUID, p period.Period) (n Notice, err error) {
	const query = `
		SELECT value, low, high, score, fired, recovered, as_of FROM workspace.evaluations
		WHERE alert = $1 AND first_day = $2 AND last_day = $3 AND state = 'evaluated'`
	err = e.snapshot(ctx, func(tx pgx.Tx) error {
		t, zone, err := read(ctx, tx, alert)
		if err != nil {
			return err
		}
		n.Metric, n.Rule, n.Zone = t.metric, t.rule, zone
		return tx.QueryRow(ctx, query, alert, p.First.Date(), p.Last.Date()).Scan(&n.Value, &n.Low, &n.High, &n.Score, &n.Fired, &n.Recovered, &n.AsOf)
	})
	if err != nil {
		return Notice{}, fmt.Errorf("read an evaluation: %w", err)
	}
	return n, nil
}

// daysOf returns a period of dates.
func daysOf(first, last time.Time) period.Period {
	return period.Period{First: localtime.DayOfDate(first), Last: localtime.DayOfDate(last)}
}
