package alert

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/stats/zones"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/period"
)

const columns = `a.id, a.project, a.metric, a.currency, a.event, a.product, a.condition, coalesce(a.threshold, 0), coalesce(a.percent, 0), coalesce(a.sensitivity, 0),
	a.direction, a.baseline, a.notify_recovery`

func (t *task) pointers() []any {
	return []any{
		&t.alert, &t.metric.Project, &t.metric.Kind, &t.metric.Currency, &t.metric.Event, &t.metric.Product, &t.rule.Condition, &t.rule.Threshold, &t.rule.Percent,
		&t.rule.Sensitivity, &t.rule.Direction, &t.rule.Baseline, &t.notify,
	}
}

// read reads an alert, and the zone of its project.
func read(ctx context.Context, tx pgx.Tx, id uuid.UUID) (t task, zone string, err error) {
	if err := tx.QueryRow(ctx, `SELECT `+columns+` FROM workspace.alerts a WHERE a.id = $1`, id).Scan(t.pointers()...); err != nil {
		return t, "", fmt.Errorf("read an alert: %w", err)
	}
	history, err := zones.Of(ctx, tx, t.metric.Project)
	if err != nil {
		return t, "", err //nolint:wrapcheck // it says what it is
	}
	return t, history.Current().String(), nil
}

// waiting returns what waits of alerts that are enabled and as they were when it was planned, in projects in use.
func (e *Evaluator) waiting(ctx context.Context) (tasks []task, err error) {
	const query = `
		SELECT e.id, e.first_day, e.last_day, e.due_at, e.reason, ` + columns + `
		FROM workspace.evaluations e
		JOIN workspace.alerts a ON a.id = e.alert AND a.enabled AND e.created_at >= a.scheduled_at
		JOIN auth.projects p ON p.id = a.project AND p.archived_at IS NULL
		WHERE e.state = 'waiting'
		ORDER BY e.due_at, e.id`
	rows, err := e.Pool.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("list what is to be evaluated: %w", err)
	}
	tasks, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t task, err error) {
		var first, last time.Time
		err = row.Scan(append([]any{&t.id, &first, &last, &t.due, &t.reason}, t.pointers()...)...)
		t.period = daysOf(first, last)
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("list what is to be evaluated: %w", err)
	}
	return tasks, nil
}

// wait notes why a period is not evaluated yet.
func (e *Evaluator) wait(ctx context.Context, id uuid.UUID, reason string) error {
	if _, err := e.Pool.Exec(ctx, `UPDATE workspace.evaluations SET reason = $2 WHERE id = $1 AND state = 'waiting'`, id, reason); err != nil {
		return fmt.Errorf("note why an alert waits: %w", err)
	}
	return nil
}

// finish stores a verdict with its notification, unless another process has, or the alert was changed. Only a verdict on the same condition can be
// one that holds no more.
func (e *Evaluator) finish(ctx context.Context, t *task, v Verdict, asOf time.Time) error {
	const update = `
		UPDATE workspace.evaluations e
		SET state = $2, reason = $3, value = $4, low = $5, high = $6, score = $7, fired = $8, as_of = $9,
		    recovered = $2 = 'evaluated' AND NOT $8 AND coalesce((
		        SELECT b.fired FROM workspace.evaluations b
		        WHERE b.alert = e.alert AND b.state = 'evaluated' AND b.last_day < e.last_day AND b.created_at >= a.scheduled_at
		        ORDER BY b.last_day DESC LIMIT 1), false)
		FROM workspace.alerts a
		WHERE e.id = $1 AND e.state = 'waiting' AND a.id = e.alert AND a.enabled AND e.created_at >= a.scheduled_at
		RETURNING recovered`
	const notify = `
		INSERT INTO workspace.deliveries (id, alert, test, first_day, last_day, due_at, next_at, complete)
		VALUES ($1, $2, false, $3, $4, $5, $6, true)
		ON CONFLICT (alert, last_day, first_day) WHERE NOT test DO NOTHING`
	state := "evaluated"
	if v.Reason != "" {
		state = "skipped"
	}
	outcome := ""
	err := postgres.InTx(ctx, e.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		var ended bool
		outcome = ""
		err := tx.QueryRow(ctx, update, t.id, state, v.Reason, v.Value, v.Low, v.High, v.Score, v.Fired, asOf).Scan(&ended)
		if err == pgx.ErrNoRows { //nolint:errorlint // Scan returns it as it is
			return nil
		}
		if err != nil {
			return fmt.Errorf("store an evaluation: %w", err)
		}
		switch {
		case v.Reason != "":
			outcome = skipped
		case v.Fired:
			outcome = fired
		case ended:
			outcome = recovered
		default:
			outcome = quiet
		}
		if !v.Fired && (!ended || !t.notify) {
			return nil
		}
		if _, err := tx.Exec(ctx, notify, uuid.Must(uuid.NewV7()), t.alert, t.period.First.Date(), t.period.Last.Date(), t.due, asOf); err != nil {
			return fmt.Errorf("plan a notification: %w", err)
		}
		return nil
	})
	if err == nil && outcome != "" {
		e.evaluated.WithLabelValues(outcome).Inc()
		e.Logger.InfoContext(ctx, "an alert was evaluated", "alert", t.alert, "evaluation", t.id, "day", t.period.Last.String(), "outcome", outcome)
	}
	return err //nolint:wrapcheck // it says what it is
}

// Plan makes a row for the newest period of each alert that is due. A period that still waits then is skipped, and so is one whose alert was
// disabled or changed. It prunes evaluations of more than two years ago.
func (e *Evaluator) Plan(ctx context.Context, now time.Time) error {
	const skip = `
		UPDATE workspace.evaluations e SET state = 'skipped', reason = 'The alert was disabled or changed, or the project was archived.'
		FROM workspace.alerts a, auth.projects p
		WHERE e.state = 'waiting' AND a.id = e.alert AND p.id = a.project AND (NOT a.enabled OR e.created_at < a.scheduled_at OR p.archived_at IS NOT NULL)`
	if _, err := e.Pool.Exec(ctx, skip); err != nil {
		return fmt.Errorf("skip what nobody waits for: %w", err)
	}
	if _, err := e.Pool.Exec(ctx, `DELETE FROM workspace.evaluations WHERE created_at < $1`, now.Add(-kept)); err != nil {
		return fmt.Errorf("prune evaluations: %w", err)
	}
	list, err := e.schedules(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		newest, due := list[i].Latest(now)
		if due.Before(list[i].since) {
			continue
		}
		if err := e.add(ctx, list[i].id, newest, due); err != nil {
			return err
		}
	}
	return nil
}

func (e *Evaluator) add(ctx context.Context, alert uuid.UUID, p period.Period, due time.Time) error {
	const skip = `
		UPDATE workspace.evaluations SET state = 'skipped', reason = left('It was not complete when the next period was due. ' || reason, 300)
		WHERE alert = $1 AND state = 'waiting' AND last_day < $2`
	const insert = `
		INSERT INTO workspace.evaluations (id, alert, first_day, last_day, due_at)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (alert, last_day, first_day) DO NOTHING`
	if _, err := e.Pool.Exec(ctx, skip, alert, p.Last.Date()); err != nil {
		return fmt.Errorf("skip the period before: %w", err)
	}
	if _, err := e.Pool.Exec(ctx, insert, uuid.Must(uuid.NewV7()), alert, p.First.Date(), p.Last.Date(), due); err != nil {
		return fmt.Errorf("plan an evaluation: %w", err)
	}
	return nil
}

// scheduled is an alert that is evaluated regularly.
type scheduled struct {
	period.Schedule

	id      uuid.UUID
	project int16
	since   time.Time // what is due earlier is not evaluated
}

func (e *Evaluator) schedules(ctx context.Context) ([]scheduled, error) {
	const query = `
		SELECT a.id, a.project, a.every = 'week', a.hour, p.week_start % 7, a.scheduled_at
		FROM workspace.alerts a
		JOIN auth.projects p ON p.id = a.project
		WHERE a.enabled AND p.archived_at IS NULL`
	rows, err := e.Pool.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("list alerts: %w", err)
	}
	projects := []int16{}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s scheduled, err error) {
		var start int
		err = row.Scan(&s.id, &s.project, &s.Weekly, &s.Hour, &start, &s.since)
		s.WeekStart = time.Weekday(start)
		projects = append(projects, s.project)
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("list alerts: %w", err)
	}
	histories, err := zones.Read(ctx, e.Pool, projects...)
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what it is
	}
	for i := range list {
		history := histories[list[i].project]
		if len(history) == 0 {
			return nil, fmt.Errorf("%w: project %d has none", zones.ErrUnknown, list[i].project)
		}
		list[i].Zone = history.Current()
	}
	return list, nil
}
