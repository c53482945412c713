package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/protocol/erased"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/erasure"
)

const erasureColumns = ` id, state, phase, reached, held_by, last_error IS NOT NULL, requested_by, requested_at, started_at, finished_at, removed, sketch_days `

// RequestErasure asks for the erasure of a user, and returns the receipt. While an erasure of the same id is open, it returns that one,
// unless the id was used again since it began. An unknown user is NotFound.
func (s *Store) RequestErasure(ctx context.Context, r erasure.Request) (receipt erasure.Receipt, err error) {
	err = postgres.InTx(ctx, s.pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		const look = `
			SELECT anonymous, known
			FROM (
				SELECT anonymous, true AS known FROM ingest.users WHERE project = $1 AND id = $2
				UNION ALL
				SELECT anonymous, false FROM ingest.erasures WHERE project = $1 AND subject = $2 AND state <> 'done'
			) AS found
			WHERE $3::boolean IS NULL OR anonymous = $3
			ORDER BY known DESC, anonymous
			LIMIT 1`
		var anonymous, known bool
		switch err := tx.QueryRow(ctx, look, r.Project, r.Subject, r.Anonymous).Scan(&anonymous, &known); {
		case errors.Is(err, pgx.ErrNoRows):
			return errs.New(errs.NotFound, "not_found", "There is no user with this id.")
		case err != nil:
			return fmt.Errorf("look for the user: %w", err)
		}
		if known {
			receipt, err = insertErasure(ctx, tx, r, anonymous)
			if !errors.Is(err, pgx.ErrNoRows) {
				return err
			}
		}
		const open = `
			SELECT` + erasureColumns + `FROM ingest.erasures
			WHERE project = $1 AND subject = $2 AND anonymous = $3 AND state <> 'done'
			ORDER BY id DESC
			LIMIT 1`
		receipt, err = erasureOf(tx.QueryRow(ctx, open, r.Project, r.Subject, anonymous))
		return err
	})
	return receipt, postgres.Classify(err)
}

// insertErasure returns pgx.ErrNoRows if an erasure of the user waits already.
func insertErasure(ctx context.Context, tx pgx.Tx, r erasure.Request, anonymous bool) (erasure.Receipt, error) {
	const insert = `
		INSERT INTO ingest.erasures (project, id, anonymous, subject, salt, digest, requested_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (project, anonymous, subject) WHERE state = 'waiting' DO NOTHING
		RETURNING` + erasureColumns
	id, salt := uuid.Must(uuid.NewV7()), erased.NewSalt()
	receipt, err := erasureOf(tx.QueryRow(ctx, insert, r.Project, id, anonymous, r.Subject, salt, erased.Digest(salt, anonymous, r.Subject), r.By))
	if err != nil {
		return erasure.Receipt{}, err
	}
	// The log is kept, so it names the receipt and not the user.
	return receipt, audit.Record(ctx, tx, audit.Entry{Action: "user.erased", Project: r.Project, Subject: "erasure:" + id.String()})
}

func erasureOf(row pgx.Row) (r erasure.Receipt, err error) {
	err = row.Scan(&r.ID, &r.State, &r.Phase, &r.Reached, &r.HeldBy, &r.Failing, &r.RequestedBy, &r.RequestedAt, &r.StartedAt, &r.FinishedAt,
		&r.Removed, &r.SketchDays)
	return r, err
}

// Erasure returns a receipt, or NotFound.
func (s *Store) Erasure(ctx context.Context, project int16, id uuid.UUID) (erasure.Receipt, error) {
	const query = `SELECT` + erasureColumns + `FROM ingest.erasures WHERE project = $1 AND id = $2`
	receipt, err := erasureOf(s.pool.QueryRow(ctx, query, project, id))
	if errors.Is(err, pgx.ErrNoRows) {
		return erasure.Receipt{}, errs.New(errs.NotFound, "not_found", "There is no erasure with this id.")
	}
	if err != nil {
		return erasure.Receipt{}, postgres.Classify(fmt.Errorf("read an erasure: %w", err))
	}
	return receipt, nil
}

// Erasures returns the receipts of a project, the latest first: those before an id, or all.
func (s *Store) Erasures(ctx context.Context, project int16, before *uuid.UUID, limit int) ([]erasure.Receipt, error) {
	const query = `SELECT` + erasureColumns + `FROM ingest.erasures WHERE project = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`
	rows, _ := s.pool.Query(ctx, query, project, before, limit) // CollectRows returns its error
	receipts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (erasure.Receipt, error) { return erasureOf(row) })
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list erasures: %w", err))
	}
	return receipts, nil
}
