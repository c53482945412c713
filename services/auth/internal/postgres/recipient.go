package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
)

// dropRecipient takes the address of an account from the digests and alerts of a project, and adds to the entry of the audit log how many there
// were. Those that nobody else gets are disabled, and keep the address, because a channel without any is none.
func dropRecipient(ctx context.Context, tx pgx.Tx, project int16, user uuid.UUID, details audit.Details) error {
	const update = `
		UPDATE workspace.%[1]s d
		SET recipients = CASE WHEN cardinality(others.recipients) > 0 THEN others.recipients ELSE d.recipients END,
		    enabled = d.enabled AND cardinality(others.recipients) > 0, updated_at = now()
		FROM (
			SELECT o.id, coalesce(array_agg(one ORDER BY n) FILTER (WHERE lower(one COLLATE "C") <> u.email), '{}') AS recipients
			FROM workspace.%[1]s o
			CROSS JOIN LATERAL unnest(o.recipients) WITH ORDINALITY AS r (one, n)
			JOIN auth.users u ON u.id = $2
			WHERE o.project = $1
			GROUP BY o.id
		) others
		WHERE d.id = others.id AND cardinality(d.recipients) > cardinality(others.recipients)`
	for _, table := range []string{"digests", "alerts"} {
		tag, err := tx.Exec(ctx, fmt.Sprintf(update, table), project, user)
		if err != nil {
			return fmt.Errorf("take a recipient from %s: %w", table, err)
		}
		if tag.RowsAffected() > 0 {
			details[table] = tag.RowsAffected()
		}
	}
	return nil
}
