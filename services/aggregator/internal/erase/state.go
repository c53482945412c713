package erase

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// ofPass is the condition that a row e of ingest.erasures is one of the project $1 and the epoch $2 that run.
const ofPass = `e.project = $1 AND e.epoch = $2 AND e.state = 'running'` //nolint:gosec // no credentials

// asked returns the projects in which erasures wait or run.
func (e *Eraser) asked(ctx context.Context) ([]postgres.Project, error) {
	rows, err := e.Pool.Query(ctx, `SELECT DISTINCT project FROM ingest.erasures WHERE state <> 'done'`)
	if err != nil {
		return nil, fmt.Errorf("look for erasures: %w", err)
	}
	asked, err := pgx.CollectRows(rows, pgx.RowTo[int16])
	if err != nil || len(asked) == 0 {
		return nil, err
	}
	all, err := postgres.Projects(ctx, e.Pool, "")
	if err != nil {
		return nil, err
	}
	var projects []postgres.Project
	for _, p := range all {
		for _, id := range asked {
			if p.ID == id {
				projects = append(projects, p)
			}
		}
	}
	return projects, nil
}

// running returns the pass of a project that was begun and is not done.
func (e *Eraser) running(ctx context.Context, project postgres.Project) (*pass, bool, error) {
	const query = `
		SELECT e.epoch, min(e.phase), min(e.reached),
			(SELECT coalesce(array_agg(u.n ORDER BY u.n), '{}') FROM ingest.erased_users AS u JOIN ingest.erasures AS o ON o.project = u.project AND o.id = u.erasure
			 WHERE o.project = $1 AND o.epoch = e.epoch AND o.state = 'running')
		FROM ingest.erasures AS e
		WHERE e.project = $1 AND e.state = 'running'
		GROUP BY e.epoch
		ORDER BY e.epoch
		LIMIT 1`
	p := &pass{passKey: passKey{project: project.ID}, in: project}
	rows, err := e.Pool.Query(ctx, query, project.ID)
	if err != nil {
		return nil, false, fmt.Errorf("read the erasures that run: %w", err)
	}
	tag, err := pgx.ForEachRow(rows, []any{&p.epoch, &p.phase, &p.reached, &p.numbers}, func() error { return nil })
	if err != nil {
		return nil, false, fmt.Errorf("read the erasures that run: %w", err)
	}
	return p, tag.RowsAffected() > 0, nil
}

// enter begins with a phase.
func (p *pass) enter(ctx context.Context, tx pgx.Tx, phase string) error {
	const update = `UPDATE ingest.erasures AS e SET phase = $3, reached = NULL, held_by = '{}' WHERE ` + ofPass
	if _, err := tx.Exec(ctx, update, p.project, p.epoch, phase); err != nil {
		return fmt.Errorf("enter the phase %s: %w", phase, err)
	}
	return nil
}

// reach records that a day of the phase is done.
func (p *pass) reach(ctx context.Context, tx pgx.Tx, day time.Time) error {
	const update = `UPDATE ingest.erasures AS e SET reached = $3 WHERE ` + ofPass
	if _, err := tx.Exec(ctx, update, p.project, p.epoch, day); err != nil {
		return fmt.Errorf("record the day %s: %w", day.Format(time.DateOnly), err)
	}
	return nil
}

// note records in the receipts why a pass does not go on, or that it does.
func (e *Eraser) note(ctx context.Context, p *pass, failure error) error {
	var text *string
	if failure != nil && ctx.Err() == nil {
		bounded := postgres.Bounded(failure.Error())
		text = &bounded
	}
	const update = `UPDATE ingest.erasures AS e SET last_error = $3 WHERE ` + ofPass + ` AND e.last_error IS DISTINCT FROM $3`
	if _, err := e.Pool.Exec(ctx, update, p.project, p.epoch, text); err != nil && ctx.Err() == nil {
		return fmt.Errorf("record an error: %w", err)
	}
	return nil
}
