package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

const importColumns = ` project, id, first_day, last_day, begun_at, finished_at, proven_at `

// The actions that the audit log has of imports, as x-audit in openapi.yaml names them.
const (
	importAnnounced = "import.announced"
	importFinished  = "import.finished"
)

// BeginImport opens an import, again if it is known. It adds the days to those that the import has. It keeps
// its days for 90 days from when it was announced first, and again when these are over: nobody keeps them for ever.
func (s *Store) BeginImport(ctx context.Context, i event.Import) (event.Import, error) {
	const query = `
		INSERT INTO ingest.imports AS i (project, id, first_day, last_day) VALUES ($1, $2, $3, $4)
		ON CONFLICT (project, id) DO UPDATE SET
			first_day = least(i.first_day, excluded.first_day), last_day = greatest(i.last_day, excluded.last_day),
			begun_at = CASE WHEN i.begun_at > now() - interval '90 days' THEN i.begun_at ELSE now() END, finished_at = NULL, proven_at = NULL
		RETURNING` + importColumns
	var begun event.Import
	err := postgres.InTx(ctx, s.pool, pgx.TxOptions{}, func(tx pgx.Tx) (err error) {
		if begun, err = importOf(ctx, tx, query, i.Project, i.ID, i.First, i.Last); err != nil {
			return err
		}
		return recordImport(ctx, tx, importAnnounced, begun)
	})
	return begun, postgres.Classify(err)
}

// FinishImport closes an import. One that is closed stays as it is.
func (s *Store) FinishImport(ctx context.Context, project int16, id uuid.UUID) (event.Import, error) {
	const lock = `SELECT` + importColumns + `FROM ingest.imports WHERE project = $1 AND id = $2 FOR UPDATE`
	const finish = `UPDATE ingest.imports SET finished_at = now() WHERE project = $1 AND id = $2 RETURNING` + importColumns
	var i event.Import
	err := postgres.InTx(ctx, s.pool, pgx.TxOptions{}, func(tx pgx.Tx) (err error) {
		if i, err = importOf(ctx, tx, lock, project, id); err != nil || i.FinishedAt != nil {
			return err
		}
		if i, err = importOf(ctx, tx, finish, project, id); err != nil {
			return err
		}
		return recordImport(ctx, tx, importFinished, i)
	})
	return i, postgres.Classify(err)
}

func recordImport(ctx context.Context, tx pgx.Tx, action string, i event.Import) error {
	return audit.Record(ctx, tx, audit.Entry{
		Action: action, Project: i.Project, Subject: "import:" + i.ID.String(),
		Details: audit.Details{"from": i.First.Format(time.DateOnly), "to": i.Last.Format(time.DateOnly)},
	})
}

// Import returns an import, or NotFound.
func (s *Store) Import(ctx context.Context, project int16, id uuid.UUID) (event.Import, error) {
	return importOf(ctx, s.pool, `SELECT`+importColumns+`FROM ingest.imports WHERE project = $1 AND id = $2`, project, id)
}

// rowQuerier is a pool or a transaction.
type rowQuerier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func importOf(ctx context.Context, db rowQuerier, query string, args ...any) (event.Import, error) {
	var i event.Import
	err := db.QueryRow(ctx, query, args...).Scan(&i.Project, &i.ID, &i.First, &i.Last, &i.BegunAt, &i.FinishedAt, &i.ProvenAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return event.Import{}, errs.New(errs.NotFound, "not_found", "There is no import with this id.")
	}
	if err != nil {
		return event.Import{}, postgres.Classify(fmt.Errorf("read or write an import: %w", err))
	}
	return i, nil
}
