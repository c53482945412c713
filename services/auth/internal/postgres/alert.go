package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/alert"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/digest"
)

var (
	errUnknownAlert  = errs.New(errs.NotFound, "unknown_alert", "The project has no alert with this id.")
	errTooManyAlerts = errs.New(errs.Conflict, "too_many_alerts", "The project has 50 alerts. Delete one that nobody needs any more.")
)

const selectAlerts = `
	SELECT a.id, a.name, a.metric, a.currency, a.event, a.product, a.every, a.hour, a.condition, a.threshold, a.percent, a.sensitivity,
	       a.direction, a.baseline, a.notify_recovery, a.recipients, a.url, a.enabled, a.created_at, a.updated_at
	FROM workspace.alerts a
	WHERE a.project = $1`

var alerts = selection[alert.Alert]{things: "alerts", query: selectAlerts, scan: scanAlert, unknown: errUnknownAlert}

func scanAlert(row pgx.CollectableRow) (a alert.Alert, err error) {
	err = row.Scan(&a.ID, &a.Name, &a.Metric, &a.Currency, &a.Event, &a.Product, &a.Every, &a.Hour, &a.Condition, &a.Threshold, &a.Percent, &a.Sensitivity,
		&a.Direction, &a.Baseline, &a.NotifyRecovery, &a.Recipients, &a.URL, &a.Enabled, &a.CreatedAt, &a.UpdatedAt)
	return a, err
}

// Alerts lists the alerts of a project by name, each with its newest evaluation.
func (s Store) Alerts(ctx context.Context, project int16) (list []alert.Alert, err error) {
	err = s.readWorkspace(ctx, func(tx pgx.Tx) error {
		list, err = readAlerts(ctx, tx, ` ORDER BY lower(a.name), a.id LIMIT $2`, project, alert.MaxPerProject)
		return err
	})
	return list, err
}

// Alert reads an alert with its newest evaluation. It returns NotFound for an unknown one.
func (s Store) Alert(ctx context.Context, project int16, id uuid.UUID) (a alert.Alert, err error) {
	err = s.readWorkspace(ctx, func(tx pgx.Tx) error {
		a, err = readAlert(ctx, tx, project, id)
		return err
	})
	return a, err
}

// Evaluations lists the newest evaluations of an alert. It returns NotFound for an unknown one.
func (s Store) Evaluations(ctx context.Context, project int16, id uuid.UUID) (list []alert.Evaluation, err error) {
	err = s.readWorkspace(ctx, func(tx pgx.Tx) error {
		if _, err := readAlert(ctx, tx, project, id); err != nil {
			return err
		}
		list, err = readEvaluations(ctx, tx, id, alert.MaxEvaluations)
		return err
	})
	return list, err
}

func (s Store) readWorkspace(ctx context.Context, read func(pgx.Tx) error) error {
	return postgres.Classify(postgres.InTx(ctx, s.Pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, read))
}

// CreateAlert stores an alert with the secret of its webhook, which is empty for e-mail. It returns Conflict if the project has too many.
func (s Store) CreateAlert(ctx context.Context, project int16, c alert.Content, secret string) (a alert.Alert, err error) {
	const insert = `
		INSERT INTO workspace.alerts (id, project, name, metric, currency, event, product, every, hour, condition, threshold, percent, sensitivity,
			direction, baseline, notify_recovery, recipients, url, secret, enabled)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`
	id := uuid.Must(uuid.NewV7())
	err = s.changeWorkspace(ctx, project, func(tx pgx.Tx) error {
		if err := checkRoom(ctx, tx, "alerts", project, alert.MaxPerProject, errTooManyAlerts); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, insert, id, project, c.Name, c.Metric, c.Currency, c.Event, c.Product, c.Every, c.Hour, c.Condition, c.Threshold, c.Percent,
			c.Sensitivity, c.Direction, c.Baseline, c.NotifyRecovery, c.Recipients, c.URL, secret, c.Enabled); err != nil {
			return fmt.Errorf("insert an alert: %w", err)
		}
		if a, err = readAlert(ctx, tx, project, id); err != nil {
			return err
		}
		return recordAlert(ctx, tx, alertCreated, project, a)
	})
	return a, err
}

// ReplaceAlert stores what an alert is from now on. It returns NotFound for an unknown one, and Invalid if it would change between e-mail
// and a webhook.
func (s Store) ReplaceAlert(ctx context.Context, project int16, id uuid.UUID, c alert.Content) (a alert.Alert, err error) {
	const update = `
		UPDATE workspace.alerts
		SET name = $3, metric = $4, currency = $5, event = $6, product = $7, every = $8, hour = $9, condition = $10, threshold = $11, percent = $12,
		    sensitivity = $13, direction = $14, baseline = $15, notify_recovery = $16, recipients = $17, url = $18, enabled = $19, updated_at = now(),
		    scheduled_at = CASE
		        WHEN (metric, currency, event, product, every, hour, condition, threshold, percent, sensitivity, direction, baseline)
		             IS NOT DISTINCT FROM ($4, $5, $6, $7::uuid, $8, $9::smallint, $10, $11::float8, $12::float8, $13::float8, $14, $15) AND (enabled OR NOT $19)
		        THEN scheduled_at ELSE now() END
		WHERE project = $1 AND id = $2
		  AND (name, metric, currency, event, product, every, hour, condition, threshold, percent, sensitivity, direction, baseline, notify_recovery, recipients, url, enabled)
		      IS DISTINCT FROM ($3, $4, $5, $6, $7::uuid, $8, $9::smallint, $10, $11::float8, $12::float8, $13::float8, $14, $15, $16, $17::text[], $18, $19)`
	err = s.changeWorkspace(ctx, project, func(tx pgx.Tx) error {
		if a, err = readAlert(ctx, tx, project, id); err != nil {
			return err
		}
		if (a.URL == "") != (c.URL == "") {
			return errAlertChannelFixed
		}
		tag, err := tx.Exec(ctx, update, project, id, c.Name, c.Metric, c.Currency, c.Event, c.Product, c.Every, c.Hour, c.Condition, c.Threshold, c.Percent,
			c.Sensitivity, c.Direction, c.Baseline, c.NotifyRecovery, c.Recipients, c.URL, c.Enabled)
		if err != nil {
			return fmt.Errorf("change an alert: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return nil
		}
		if a, err = readAlert(ctx, tx, project, id); err != nil {
			return err
		}
		return recordAlert(ctx, tx, alertChanged, project, a)
	})
	return a, err
}

// DeleteAlert deletes an alert with its evaluations. It returns NotFound for an unknown one.
func (s Store) DeleteAlert(ctx context.Context, project int16, id uuid.UUID) error {
	return s.changeWorkspace(ctx, project, func(tx pgx.Tx) error {
		a, err := readAlert(ctx, tx, project, id)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM workspace.alerts WHERE project = $1 AND id = $2`, project, id); err != nil {
			return fmt.Errorf("delete an alert: %w", err)
		}
		return recordAlert(ctx, tx, alertDeleted, project, a)
	})
}

// TestAlert asks for a notification of the last period. It returns NotFound for an unknown alert, Conflict while a test is not done, or within
// a minute of the last one, and TooMany when the project has asked for perHour tests within an hour.
func (s Store) TestAlert(ctx context.Context, project int16, id uuid.UUID, perHour int) (v digest.Delivery, err error) {
	err = s.changeWorkspace(ctx, project, func(tx pgx.Tx) error {
		a, err := readAlert(ctx, tx, project, id)
		if err != nil {
			return err
		}
		if v, err = addTest(ctx, tx, project, testOf{alert: &id, every: a.Every}, perHour); err != nil {
			return err
		}
		return recordAlert(ctx, tx, alertTested, project, a)
	})
	return v, err
}

func readAlert(ctx context.Context, tx pgx.Tx, project int16, id uuid.UUID) (alert.Alert, error) {
	list, err := readAlerts(ctx, tx, ` AND a.id = $2`, project, id)
	if err != nil {
		return alert.Alert{}, err
	}
	if len(list) == 0 {
		return alert.Alert{}, errUnknownAlert
	}
	return list[0], nil
}

func readAlerts(ctx context.Context, tx pgx.Tx, end string, args ...any) ([]alert.Alert, error) {
	list, err := alerts.list(ctx, tx, end, args...)
	if err != nil {
		return nil, err
	}
	for i := range list {
		newest, err := readEvaluations(ctx, tx, list[i].ID, 1)
		if err != nil {
			return nil, err
		}
		if len(newest) > 0 {
			list[i].Last = &newest[0]
		}
	}
	return list, nil
}

// readEvaluations reads the newest evaluations of what the alert looks at now. Those of a former metric or condition have other units and bounds.
func readEvaluations(ctx context.Context, tx pgx.Tx, id uuid.UUID, limit int) ([]alert.Evaluation, error) {
	const query = `
		SELECT e.id, e.first_day, e.last_day, e.state, e.reason, e.value, e.low, e.high, e.score, e.fired, e.recovered, e.as_of, e.due_at, v.id IS NOT NULL,
		       coalesce(v.state, ''), coalesce(v.attempts, 0), coalesce(v.failure, ''), coalesce(v.complete, false), coalesce(v.done_at, v.next_at, now())
		FROM workspace.evaluations e
		JOIN workspace.alerts a ON a.id = e.alert AND e.created_at >= a.scheduled_at
		LEFT JOIN workspace.deliveries v ON v.alert = e.alert AND v.last_day = e.last_day AND v.first_day = e.first_day AND NOT v.test
		WHERE e.alert = $1
		ORDER BY e.last_day DESC, e.first_day DESC
		LIMIT $2`
	rows, err := tx.Query(ctx, query, id, limit)
	if err != nil {
		return nil, fmt.Errorf("read evaluations: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e alert.Evaluation, err error) {
		var sent digest.Delivery
		var notified bool
		err = row.Scan(&e.ID, &e.First, &e.Last, &e.State, &e.Reason, &e.Value, &e.Low, &e.High, &e.Score, &e.Fired, &e.Recovered, &e.AsOf, &e.DueAt, &notified,
			&sent.State, &sent.Attempts, &sent.Failure, &sent.Complete, &sent.At)
		if notified {
			sent.First, sent.Last, e.Delivery = e.First, e.Last, &sent
		}
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("read evaluations: %w", err)
	}
	return list, nil
}

func recordAlert(ctx context.Context, tx pgx.Tx, action string, project int16, a alert.Alert) error {
	details := audit.Details{"name": a.Name, "metric": a.Metric, "condition": a.Condition, "every": a.Every, "hour": a.Hour, "enabled": a.Enabled}
	a.Record(details)
	return audit.Record(ctx, tx, audit.Entry{Action: action, Project: project, Subject: alertSubject(a.ID), Details: details})
}
