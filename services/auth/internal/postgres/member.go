package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
)

// setMember gives an account a role in a project, or, for an empty role, ends its membership.
func setMember(ctx context.Context, tx pgx.Tx, project int16, user uuid.UUID, role authn.Role) error {
	const put = `
		INSERT INTO auth.members (project, user_id, role) VALUES ($1, $2, $3)
		ON CONFLICT (project, user_id) DO UPDATE SET role = excluded.role`
	statement, args := put, []any{project, user, role}
	if role == "" {
		statement, args = `DELETE FROM auth.members WHERE project = $1 AND user_id = $2`, args[:2]
	}
	if _, err := tx.Exec(ctx, statement, args...); err != nil {
		return fmt.Errorf("set a member: %w", err)
	}
	return nil
}
