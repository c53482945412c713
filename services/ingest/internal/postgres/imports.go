package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

const importColumns = ` project, id, first_day, last_day, begun_at, finished_at, proven_at `

// BeginImport opens an import, again if it is known. It adds the days to those that the import has. It keeps
// its days for 90 days from when it was announced first, and again when these are over: nobody keeps them for ever.
func (s *Store) BeginImport(ctx context.Context, i event.Import) (event.Import, error) {
	const query = `
		INSERT INTO ingest.imports AS i (project, id, first_day, last_day) VALUES ($1, $2, $3, $4)
		ON CONFLICT (project, id) DO UPDATE SET
			first_day = least(i.first_day, excluded.first_day), last_day = greatest(i.last_day, excluded.last_day),
			begun_at = CASE WHEN i.begun_at > now() - interval '90 days' THEN i.begun_at ELSE now() END, finished_at = NULL, proven_at = NULL
		RETURNING` + importColumns
	return s.importOf(ctx, query, i.Project, i.ID, i.First, i.Last)
}

// FinishImport closes an import. One that is closed stays as it is.
func (s *Store) FinishImport(ctx context.Context, project int16, id uuid.UUID) (event.Import, error) {
	const query = `
		UPDATE ingest.imports SET finished_at = coalesce(finished_at, now()) WHERE project = $1 AND id = $2
		RETURNING` + importColumns
	return s.importOf(ctx, query, project, id)
}

// Import returns an import, or NotFound.
func (s *Store) Import(ctx context.Context, project int16, id uuid.UUID) (event.Import, error) {
	return s.importOf(ctx, `SELECT`+importColumns+`FROM ingest.imports WHERE project = $1 AND id = $2`, project, id)
}

func (s *Store) importOf(ctx context.Context, query string, args ...any) (event.Import, error) {
	var i event.Import
	err := s.pool.QueryRow(ctx, query, args...).Scan(&i.Project, &i.ID, &i.First, &i.Last, &i.BegunAt, &i.FinishedAt, &i.ProvenAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return event.Import{}, errs.New(errs.NotFound, "not_found", "There is no import with this id.")
	}
	if err != nil {
		return event.Import{}, postgres.Classify(fmt.Errorf("read or write an import: %w", err))
	}
	return i, nil
}
