package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Import identifies an import of history.
type Import struct {
	Project int16
	ID      uuid.UUID
}

// FinishedImports returns the imports of a project (empty: of all projects) whose rows are all folded and whose days are all
// within a range. A nil day is no bound. A UTC day can be two days of a project, so the range has to have both. Batches that were
// received after the end of an import have no rows of it: a platform that is in use always has some that are pending.
func (s Snapshot) FinishedImports(ctx context.Context, slug string, from, to *time.Time) ([]Import, error) {
	const query = `
		SELECT i.project, i.id
		FROM ingest.imports AS i JOIN auth.projects AS p ON p.id = i.project
		WHERE $1 IN ('', p.slug) AND i.proven_at IS NULL AND i.finished_at IS NOT NULL
		  AND ($2::date IS NULL OR i.first_day > $2) AND ($3::date IS NULL OR i.last_day < $3)
		  AND NOT EXISTS (SELECT FROM ingest.unfolded_batches AS b WHERE b.project = i.project AND b.received_at <= i.finished_at)`
	rows, _ := s.tx.Query(ctx, query, slug, from, to) // CollectRows returns its error
	imports, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Import])
	if err != nil {
		return nil, fmt.Errorf("list finished imports: %w", err)
	}
	return imports, nil
}

// Prove marks imports as proven, unless they have been resumed since a snapshot, and returns how many it marked.
func Prove(ctx context.Context, pool *pgxpool.Pool, imports []Import, snapshot time.Time) (int64, error) {
	const query = `
		UPDATE ingest.imports AS i SET proven_at = $3
		FROM unnest($1::smallint[], $2::uuid[]) AS finished (project, id)
		WHERE i.project = finished.project AND i.id = finished.id AND i.proven_at IS NULL AND i.finished_at < $3`
	projects, ids := make([]int16, len(imports)), make([]uuid.UUID, len(imports))
	for n, i := range imports {
		projects[n], ids[n] = i.Project, i.ID
	}
	tag, err := pool.Exec(ctx, query, projects, ids, snapshot)
	if err != nil {
		return 0, fmt.Errorf("mark imports as proven: %w", err)
	}
	return tag.RowsAffected(), nil
}

// Begun returns when the snapshot was taken, by the clock of the database.
func (s Snapshot) Begun(ctx context.Context) (at time.Time, err error) {
	err = s.tx.QueryRow(ctx, `SELECT now()`).Scan(&at)
	return at, err
}
