package digest

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/stats/zones"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/period"
)

// The states of deliveries in the table.
const (
	waiting = "waiting"
	sending = "sending"
	sent    = "sent"
	failed  = "failed"
)

// store acts as the role hp_aggregator.
type store struct{ pool *pgxpool.Pool }

// scheduled is a digest that is sent regularly.
type scheduled struct {
	period.Schedule

	id    uuid.UUID
	since time.Time // what is due earlier is not sent
}

// target is what a delivery is about, and where it goes.
type target struct {
	digest     *uuid.UUID
	alert      *uuid.UUID // in place of a digest
	name       string
	project    int16
	slug       string
	title      string // of the project
	weekly     bool
	recipients []string // without members whose accounts are disabled
	url        string   // of the webhook; empty for e-mail
	secret     string
}

// delivery is a digest of a period, or the notification of an alert, that somebody has claimed.
type delivery struct {
	target
	id       uuid.UUID
	test     bool
	period   period.Period
	due      time.Time // when it should have been sent
	attempts int
	state    string
	failure  string
	next     time.Time
	complete bool
}

// schedules returns all digests of projects in use that are sent regularly, by the days that their projects are counted by.
func (s store) schedules(ctx context.Context) ([]scheduled, error) {
	const query = `
		SELECT d.id, d.project, d.every = 'week', d.hour, p.week_start % 7, d.scheduled_at
		FROM workspace.digests d
		JOIN auth.projects p ON p.id = d.project
		WHERE d.enabled AND p.archived_at IS NULL`
	rows, err := s.pool.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("list digests: %w", err)
	}
	var list []scheduled
	var projects []int16
	var d scheduled
	var project int16
	var start int
	_, err = pgx.ForEachRow(rows, []any{&d.id, &project, &d.Weekly, &d.Hour, &start, &d.since}, func() error {
		d.WeekStart = time.Weekday(start)
		list, projects = append(list, d), append(projects, project)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list digests: %w", err)
	}
	histories, err := zones.Read(ctx, s.pool, projects...)
	if err != nil {
		return nil, err
	}
	for i := range list {
		history := histories[projects[i]]
		if len(history) == 0 {
			return nil, fmt.Errorf("%w: project %d has none", zones.ErrUnknown, projects[i])
		}
		list[i].Zone = history.Current()
	}
	return list, nil
}

// add makes the row of a period, unless there is one.
func (s store) add(ctx context.Context, digest uuid.UUID, p period.Period, due, now time.Time) error {
	const insert = `
		INSERT INTO workspace.deliveries (id, digest, test, first_day, last_day, due_at, next_at)
		VALUES ($1, $2, false, $3, $4, $5, $6)
		ON CONFLICT (digest, first_day, last_day) WHERE NOT test DO NOTHING`
	if _, err := s.pool.Exec(ctx, insert, uuid.Must(uuid.NewV7()), digest, p.First.Date(), p.Last.Date(), due, now); err != nil {
		return fmt.Errorf("plan a digest: %w", err)
	}
	return nil
}

// claim takes a delivery that is due, of none of some projects, so that nobody else does. What was planned before the digest or alert was
// disabled or got another schedule is not sent any more.
func (s store) claim(ctx context.Context, busy []int16, now time.Time) (d delivery, found bool, err error) {
	const update = `
		UPDATE workspace.deliveries v
		SET state = 'sending', claimed_at = $1, attempts = v.attempts + 1
		FROM (
			SELECT w.id AS id, coalesce(d.name, a.name) AS name, p.id AS project, p.slug, p.name AS title, coalesce(d.every, a.every) AS every,
			       coalesce(d.recipients, a.recipients) AS recipients, coalesce(d.url, a.url) AS url, coalesce(d.secret, a.secret) AS secret
			FROM workspace.deliveries w
			LEFT JOIN workspace.digests d ON d.id = w.digest
			LEFT JOIN workspace.alerts a ON a.id = w.alert
			JOIN auth.projects p ON p.id = coalesce(d.project, a.project) AND p.archived_at IS NULL
			WHERE w.state = 'waiting' AND w.next_at <= $1 AND p.id <> ALL($2)
			  AND (w.test OR coalesce(d.enabled, a.enabled) AND w.created_at >= coalesce(d.scheduled_at, a.scheduled_at))
			ORDER BY w.next_at, w.id
			LIMIT 1
			FOR UPDATE OF w SKIP LOCKED
		) t
		WHERE v.id = t.id
		RETURNING v.id, v.digest, v.alert, v.test, v.first_day, v.last_day, v.due_at, v.attempts, t.name, t.project, t.slug, t.title, t.every = 'week', t.url, t.secret,
			ARRAY(
				SELECT one FROM unnest(t.recipients) WITH ORDINALITY AS r (one, n)
				WHERE NOT EXISTS (
					SELECT FROM auth.users u JOIN auth.members m ON m.user_id = u.id
					WHERE m.project = t.project AND u.email = lower(one COLLATE "C") AND u.disabled_at IS NOT NULL)
				ORDER BY n)`
	var first, last time.Time
	err = s.pool.QueryRow(ctx, update, now, busy).Scan(&d.id, &d.digest, &d.alert, &d.test, &first, &last, &d.due, &d.attempts, &d.name, &d.project, &d.slug, &d.title,
		&d.weekly, &d.url, &d.secret, &d.recipients)
	if err == pgx.ErrNoRows { //nolint:errorlint // Scan returns it as it is
		return delivery{}, false, nil
	}
	if err != nil {
		return delivery{}, false, fmt.Errorf("claim a delivery: %w", err)
	}
	d.period = period.Period{First: localtime.DayOfDate(first), Last: localtime.DayOfDate(last)}
	return d, true, nil
}

// finish records what became of a delivery that the caller has claimed.
func (s store) finish(ctx context.Context, d delivery, now time.Time) error {
	const update = `
		UPDATE workspace.deliveries
		SET state = $2, failure = $3, complete = $4, next_at = $5, done_at = CASE WHEN $2 IN ('sent', 'failed') THEN $6::timestamptz END
		WHERE id = $1 AND state = 'sending' AND attempts = $7`
	next := now
	if d.state == waiting {
		next = d.next
	}
	if _, err := s.pool.Exec(ctx, update, d.id, d.state, d.failure, d.complete, next, now, d.attempts); err != nil {
		return fmt.Errorf("record a delivery: %w", err)
	}
	return nil
}

// abandon ends the deliveries of digests that were claimed before a time: their process has died. They may have been sent. Notifications of
// alerts are tried again: one that comes twice does less harm than one that does not come, and receivers recognise it by its id.
func (s store) abandon(ctx context.Context, before, now time.Time) error {
	const update = `
		UPDATE workspace.deliveries
		SET state = CASE WHEN again THEN 'waiting' ELSE 'failed' END, next_at = $2::timestamptz, done_at = CASE WHEN NOT again THEN $2::timestamptz END,
		    failure = CASE WHEN again THEN 'The server stopped while it sent this.'
		        ELSE 'The server stopped while it sent this. It may have arrived, so it is not sent again.' END
		FROM (SELECT id AS claimed, alert IS NOT NULL AND NOT test AND attempts < $3 AS again FROM workspace.deliveries WHERE state = 'sending' AND claimed_at < $1) c
		WHERE id = claimed AND state = 'sending' AND claimed_at < $1`
	if _, err := s.pool.Exec(ctx, update, before, now, maxAttempts); err != nil {
		return fmt.Errorf("end abandoned deliveries: %w", err)
	}
	return nil
}

// expire ends the deliveries that wait since before a time and that claim leaves out: their digest or alert was disabled or changed, or the
// project was archived. What nobody claimed because no process ran is still sent.
func (s store) expire(ctx context.Context, before, now time.Time) error {
	const update = `
		UPDATE workspace.deliveries v
		SET state = 'failed', done_at = $2,
		    failure = 'It was not sent: it was disabled or changed before, or the project was archived.'
		FROM workspace.deliveries w
		LEFT JOIN workspace.digests d ON d.id = w.digest
		LEFT JOIN workspace.alerts a ON a.id = w.alert
		JOIN auth.projects p ON p.id = coalesce(d.project, a.project)
		WHERE v.id = w.id AND v.state = 'waiting' AND v.next_at < $1
		  AND (p.archived_at IS NOT NULL OR NOT (w.test OR coalesce(d.enabled, a.enabled) AND w.created_at >= coalesce(d.scheduled_at, a.scheduled_at)))`
	if _, err := s.pool.Exec(ctx, update, before, now); err != nil {
		return fmt.Errorf("end deliveries that nobody may send: %w", err)
	}
	return nil
}

// prune deletes what was planned before a time.
func (s store) prune(ctx context.Context, before time.Time) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM workspace.deliveries WHERE created_at < $1`, before); err != nil {
		return fmt.Errorf("prune deliveries: %w", err)
	}
	return nil
}
