package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/journal"
)

// Journal returns up to limit entries of the audit log, newest first. They follow the entry after, if it is not nil. There are none
// after an entry that retention has deleted, as all that follow it are deleted, too.
func (s Store) Journal(ctx context.Context, f journal.Filter, after *uuid.UUID, limit int) ([]journal.Entry, error) {
	const query = `
		SELECT l.id, l.at, l.actor_kind, l.actor,
		       (SELECT u.email FROM auth.users u
		        WHERE u.id::text = CASE l.actor_kind
		          WHEN 'user' THEN l.actor
		          WHEN 'key' THEN (SELECT k.owner::text FROM auth.api_keys k WHERE k.id::text = l.actor) END),
		       (SELECT p.slug FROM auth.projects p WHERE p.id = l.project),
		       l.action, l.subject, l.details, l.request_id, l.address
		FROM audit.log l
		WHERE ($1 = '' OR l.actor = $1)
		  AND starts_with(l.action, $2)
		  AND ($3 = '' OR l.project = (SELECT id FROM auth.projects WHERE slug = $3))
		  AND ($4::timestamptz IS NULL OR l.at >= $4)
		  AND ($5::timestamptz IS NULL OR l.at < $5)
		  AND ($6::uuid IS NULL OR (l.at, l.id) < (SELECT at, id FROM audit.log WHERE id = $6))
		ORDER BY l.at DESC, l.id DESC
		LIMIT $7`
	rows, err := s.Pool.Query(ctx, query, f.Actor, f.ActionPrefix, f.Project, f.From, f.To, after, limit)
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("read the audit log: %w", err))
	}
	entries, err := pgx.CollectRows(rows, pgx.RowToStructByPos[journal.Entry])
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("read the audit log: %w", err))
	}
	return entries, nil
}

// PruneJournal deletes the entries of the audit log that are older than keep days, which are 30 at least, and returns how many.
func (s Store) PruneJournal(ctx context.Context, keep int) (deleted int64, err error) {
	if err := s.Pool.QueryRow(ctx, `SELECT audit.prune(make_interval(days => $1))`, keep).Scan(&deleted); err != nil {
		return 0, postgres.Classify(fmt.Errorf("prune the audit log: %w", err))
	}
	return deleted, nil
}
