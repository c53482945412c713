package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/digest"
)

var (
	errTestPending  = errs.New(errs.Conflict, "test_pending", "A test was asked for less than a minute ago, or is not done. Wait a moment.")
	errTooManyTests = errs.New(errs.TooMany, "too_many_tests", "The project has sent as many tests within an hour as it may. Wait some minutes.").After(5 * time.Minute)
)

// testOf is what a test is sent of: a digest or an alert.
type testOf struct {
	digest, alert *uuid.UUID
	every         string
}

// addTest plans a test of the last day or seven days. The caller records it in the audit log, by which tests are counted, because deliveries
// are deleted with their digest or alert.
func addTest(ctx context.Context, tx pgx.Tx, project int16, of testOf, perHour int) (v digest.Delivery, err error) {
	const count = `
		SELECT count(*) FROM audit.log
		WHERE project = $1 AND at > now() - interval '1 hour' AND action IN ('digest.tested', 'alert.tested')`
	const insert = `
		INSERT INTO workspace.deliveries AS v (id, digest, alert, test, first_day, last_day)
		SELECT $4, $2, $3, true, today.day - CASE $5 WHEN 'week' THEN 7 ELSE 1 END, today.day - 1
		FROM auth.projects p
		CROSS JOIN LATERAL (SELECT (now() AT TIME ZONE p.time_zone)::date AS day) today
		WHERE p.id = $1 AND NOT EXISTS (
			SELECT FROM workspace.deliveries w
			WHERE (w.digest = $2 OR w.alert = $3) AND w.test AND (w.state IN ('waiting', 'sending') OR w.created_at > now() - interval '1 minute'))
		RETURNING v.test, v.first_day, v.last_day, v.state, v.attempts, v.failure, v.complete, coalesce(v.done_at, v.next_at)`
	var tests int
	if err := tx.QueryRow(ctx, count, project).Scan(&tests); err != nil {
		return v, fmt.Errorf("count tests: %w", err)
	}
	if tests >= perHour {
		return v, errTooManyTests
	}
	err = tx.QueryRow(ctx, insert, project, of.digest, of.alert, uuid.Must(uuid.NewV7()), of.every).
		Scan(&v.Test, &v.First, &v.Last, &v.State, &v.Attempts, &v.Failure, &v.Complete, &v.At)
	if errs.Is(postgres.Classify(err), errs.NotFound) {
		return v, errTestPending
	}
	if err != nil {
		return v, fmt.Errorf("ask for a test: %w", err)
	}
	return v, nil
}
