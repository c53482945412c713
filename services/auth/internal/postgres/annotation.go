package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/annotation"
)

var (
	errUnknownAnnotation  = errs.New(errs.NotFound, "unknown_annotation", "The project has no annotation with this id.")
	errTooManyAnnotations = errs.New(errs.Conflict, "too_many_annotations", "The project has 1,000 annotations. Delete some that nobody needs any more.")
)

// annotationDay is the day of an annotation in the time zone that its project has now.
const annotationDay = `coalesce(a.day, (a.at AT TIME ZONE p.time_zone)::date)`

const selectAnnotations = `
	SELECT a.id, ` + annotationDay + `, a.at, a.text, coalesce(nullif(u.name, ''), split_part(u.email, '@', 1)), a.created_at, a.updated_at
	FROM workspace.annotations a
	JOIN auth.projects p ON p.id = a.project
	LEFT JOIN auth.users u ON u.id = a.author
	WHERE a.project = $1`

var annotations = selection[annotation.Annotation]{things: "annotations", query: selectAnnotations, scan: scanAnnotation, unknown: errUnknownAnnotation}

func scanAnnotation(row pgx.CollectableRow) (a annotation.Annotation, err error) {
	return a, row.Scan(&a.ID, &a.Day, &a.At, &a.Text, &a.Author, &a.CreatedAt, &a.UpdatedAt)
}

// Annotations lists the annotations of a project by day. Those of a whole day come before its instants.
func (s Store) Annotations(ctx context.Context, project int16, days annotation.Range) ([]annotation.Annotation, error) {
	const end = `
		AND ($2::date IS NULL OR ` + annotationDay + ` >= $2) AND ($3::date IS NULL OR ` + annotationDay + ` <= $3)
		ORDER BY ` + annotationDay + `, a.at NULLS FIRST, a.id
		LIMIT $4`
	return annotations.list(ctx, s.Pool, end, project, days.From, days.To, annotation.MaxPerProject)
}

// CreateAnnotation stores an annotation in the project of its author. It returns Conflict if the project has too many.
func (s Store) CreateAnnotation(ctx context.Context, author authn.Principal, c annotation.Content) (a annotation.Annotation, err error) {
	const insert = `
		INSERT INTO workspace.annotations (id, project, day, at, text, author)
		VALUES ($1, $2, $3, $4, $5, (SELECT id FROM auth.users WHERE id::text = $6))`
	project, id := author.Project.ID, uuid.Must(uuid.NewV7())
	err = s.changeWorkspace(ctx, project, func(tx pgx.Tx) error {
		if err := checkRoom(ctx, tx, "annotations", project, annotation.MaxPerProject, errTooManyAnnotations); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, insert, id, project, c.Day, c.At, c.Text, author.Owner); err != nil {
			return fmt.Errorf("insert an annotation: %w", err)
		}
		if a, err = readAnnotation(ctx, tx, project, id); err != nil {
			return err
		}
		return recordAnnotation(ctx, tx, annotationCreated, project, a)
	})
	return a, err
}

// ReplaceAnnotation stores what an annotation says from now on. It returns NotFound for an unknown one.
func (s Store) ReplaceAnnotation(ctx context.Context, project int16, id uuid.UUID, c annotation.Content) (a annotation.Annotation, err error) {
	const update = `
		UPDATE workspace.annotations SET day = $3, at = $4, text = $5, updated_at = now()
		WHERE project = $1 AND id = $2 AND (day, at, text) IS DISTINCT FROM ($3::date, $4::timestamptz, $5::text)`
	err = s.changeWorkspace(ctx, project, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, update, project, id, c.Day, c.At, c.Text)
		if err != nil {
			return fmt.Errorf("change an annotation: %w", err)
		}
		if a, err = readAnnotation(ctx, tx, project, id); err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return recordAnnotation(ctx, tx, annotationChanged, project, a)
	})
	return a, err
}

// DeleteAnnotation deletes an annotation. It returns NotFound for an unknown one.
func (s Store) DeleteAnnotation(ctx context.Context, project int16, id uuid.UUID) error {
	return s.changeWorkspace(ctx, project, func(tx pgx.Tx) error {
		a, err := readAnnotation(ctx, tx, project, id)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM workspace.annotations WHERE project = $1 AND id = $2`, project, id); err != nil {
			return fmt.Errorf("delete an annotation: %w", err)
		}
		return recordAnnotation(ctx, tx, annotationDeleted, project, a)
	})
}

// changeWorkspace runs work in a transaction in which nobody else changes annotations, digests and alerts of the project, so their count is right.
// It checks the caller like For.
func (s Store) changeWorkspace(ctx context.Context, project int16, work func(pgx.Tx) error) error {
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := s.lockAccounts(ctx, tx, uuid.Nil); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `SELECT FROM auth.projects WHERE id = $1 FOR NO KEY UPDATE`, project); err != nil {
			return fmt.Errorf("lock a project: %w", err)
		}
		return work(tx)
	})
	return postgres.Classify(err)
}

func readAnnotation(ctx context.Context, tx pgx.Tx, project int16, id uuid.UUID) (annotation.Annotation, error) {
	return annotations.one(ctx, tx, ` AND a.id = $2`, project, id)
}

func recordAnnotation(ctx context.Context, tx pgx.Tx, action string, project int16, a annotation.Annotation) error {
	details := audit.Details{"text": a.Text, "day": a.Day.Format(time.DateOnly)}
	if a.At != nil {
		details["at"] = a.At.UTC()
	}
	return audit.Record(ctx, tx, audit.Entry{Action: action, Project: project, Subject: annotationSubject(a.ID), Details: details})
}
