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
	Schedule
	id    uuid.UUID
	since time.Time // what is due earlier is not sent
}

// target is what a delivery is about, and where it goes.
type target struct {
	digest     uuid.UUID
	name       string
	project    int16
	slug       string
	title      string // of the project
	weekly     bool
	recipients []string
	url        string // of the webhook; empty for e-mail
	secret     string
}

// delivery is a digest of a period that somebody has claimed.
type delivery struct {
	target
	id       uuid.UUID
	test     bool
	period   Period
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
func (s store) add(ctx context.Context, digest uuid.UUID, p Period, now time.Time) error {
	const insert = `
		INSERT INTO workspace.deliveries (id, digest, test, first_day, last_day, next_at)
		VALUES ($1, $2, false, $3, $4, $5)
		ON CONFLICT (digest, first_day, last_day) WHERE NOT test DO NOTHING`
	if _, err := s.pool.Exec(ctx, insert, uuid.Must(uuid.NewV7()), digest, p.First.Date(), p.Last.Date(), now); err != nil {
		return fmt.Errorf("plan a digest: %w", err)
	}
	return nil
}

// claim takes a delivery that is due, so that nobody else does. What was planned before the digest was disabled or got another schedule is
// not sent any more.
func (s store) claim(ctx context.Context, now time.Time) (d delivery, found bool, err error) {
	const update = `
		UPDATE workspace.deliveries v
		SET state = 'sending', claimed_at = $1, attempts = v.attempts + 1
		FROM (
			SELECT w.id AS id, d.id AS digest, d.name, d.project, p.slug, p.name AS title, d.every, d.recipients, d.url, d.secret
			FROM workspace.deliveries w
			JOIN workspace.digests d ON d.id = w.digest AND (w.test OR d.enabled AND w.created_at >= d.scheduled_at)
			JOIN auth.projects p ON p.id = d.project AND p.archived_at IS NULL
			WHERE w.state = 'waiting' AND w.next_at <= $1
			ORDER BY w.next_at, w.id
			LIMIT 1
			FOR UPDATE OF w SKIP LOCKED
		) t
		WHERE v.id = t.id
		RETURNING v.id, v.test, v.first_day, v.last_day, v.attempts, t.digest, t.name, t.project, t.slug, t.title, t.every = 'week', t.recipients, t.url, t.secret`
	var first, last time.Time
	err = s.pool.QueryRow(ctx, update, now).Scan(&d.id, &d.test, &first, &last, &d.attempts, &d.digest, &d.name, &d.project, &d.slug, &d.title, &d.weekly,
		&d.recipients, &d.url, &d.secret)
	if err == pgx.ErrNoRows { //nolint:errorlint // Scan returns it as it is
		return delivery{}, false, nil
	}
	if err != nil {
		return delivery{}, false, fmt.Errorf("claim a digest: %w", err)
	}
	d.period = Period{First: localtime.DayOfDate(first), Last: localtime.DayOfDate(last)}
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
		return fmt.Errorf("record a digest: %w", err)
	}
	return nil
}

// abandon ends the deliveries that were claimed before a time: their process has died. They may have been sent.
func (s store) abandon(ctx context.Context, before, now time.Time) error {
	const update = `
		UPDATE workspace.deliveries
		SET state = 'failed', done_at = $2,
		    failure = 'The server stopped while it sent this. It may have arrived, so it is not sent again.'
		WHERE state = 'sending' AND claimed_at < $1`
	if _, err := s.pool.Exec(ctx, update, before, now); err != nil {
		return fmt.Errorf("end abandoned digests: %w", err)
	}
	return nil
}

// prune deletes what was planned before a time.
func (s store) prune(ctx context.Context, before time.Time) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM workspace.deliveries WHERE created_at < $1`, before); err != nil {
		return fmt.Errorf("prune digests: %w", err)
	}
	return nil
}
