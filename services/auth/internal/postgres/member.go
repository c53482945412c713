package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/project"
)

var (
	errLastOwner = errs.New(errs.Conflict, project.LastOwner,
		"This is the last owner of the project. Make another member an owner first, or ask an admin.")
	errInvitationRequired = errs.New(errs.Forbidden, project.InvitationRequired,
		"The account is no member. Invite the person with POST /auth/projects/{project}/invitations: an account joins with its consent.")
	errUnknownMember = errs.New(errs.NotFound, project.UnknownMember, "The account is no member of the project.")
)

const selectMembers = `
	SELECT m.user_id, u.email, u.name, m.role, m.created_at
	FROM auth.members m
	JOIN auth.users u ON u.id = m.user_id`

// Members returns up to limit members of a project, those with the newest accounts first. They follow the account after, if it is
// not nil.
func (s Store) Members(ctx context.Context, in int16, after *uuid.UUID, limit int) ([]project.Member, error) {
	const query = selectMembers + `
		WHERE m.project = $1 AND ($2::uuid IS NULL OR m.user_id < $2)
		ORDER BY m.user_id DESC
		LIMIT $3`
	rows, err := s.Pool.Query(ctx, query, in, after, limit)
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list members: %w", err))
	}
	members, err := pgx.CollectRows(rows, pgx.RowToStructByPos[project.Member])
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list members: %w", err))
	}
	return members, nil
}

// PutMember gives an account a role in a project. It returns NotFound for an unknown account, Forbidden for an account that is no
// member, and Conflict for the last owner. Admins and the command line are not held to the last two.
func (s Store) PutMember(ctx context.Context, in int16, user uuid.UUID, role authn.Role) (m project.Member, err error) {
	err = s.changeMember(ctx, in, user, role, func(tx pgx.Tx, before authn.Role) error {
		if before == "" && !s.byAdminOrCommand() {
			return errInvitationRequired
		}
		if err := setMember(ctx, tx, in, user, role); err != nil {
			return err
		}
		row := tx.QueryRow(ctx, selectMembers+` WHERE m.project = $1 AND m.user_id = $2`, in, user)
		if err := row.Scan(&m.UserID, &m.Email, &m.Name, &m.Role, &m.CreatedAt); err != nil {
			return fmt.Errorf("read a member: %w", err)
		}
		if before == role {
			return nil
		}
		action := memberRoleChanged
		if before == "" {
			action = memberAdded
		}
		return audit.Record(ctx, tx, audit.Entry{
			Action: action, Project: in, Subject: accountSubject(user), Details: audit.Details{"role": role, "former_role": before},
		})
	})
	return m, err
}

// RemoveMember ends a membership. The e-mail address of the account gets no more digests and alerts of the project. It returns NotFound if there is none, and Conflict for the last owner, to which admins and the
// command line are not held.
func (s Store) RemoveMember(ctx context.Context, in int16, user uuid.UUID) error {
	return s.changeMember(ctx, in, user, "", func(tx pgx.Tx, before authn.Role) error {
		if before == "" {
			return errUnknownMember
		}
		if err := setMember(ctx, tx, in, user, ""); err != nil {
			return err
		}
		details := audit.Details{"former_role": before}
		if err := dropRecipient(ctx, tx, in, user, details); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Action: memberRemoved, Project: in, Subject: accountSubject(user), Details: details})
	})
}

// byAdminOrCommand reports whether the caller is an admin of the installation, or the command line.
func (s Store) byAdminOrCommand() bool {
	return s.caller.Subject == "" && s.caller.KeyID == "" || s.caller.AccountRole == authn.Admin
}

// changeMember calls change with the role that an account has in a project, unless the new one takes the last owner from it. The
// account and the project are locked: keys of the account are made before or after, and of two owners who leave at the same time,
// the second is the last.
func (s Store) changeMember(ctx context.Context, in int16, user uuid.UUID, role authn.Role, change func(tx pgx.Tx, before authn.Role) error) error {
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := s.lockAccounts(ctx, tx, user); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `SELECT FROM auth.users WHERE id = $1 FOR NO KEY UPDATE`, user)
		if err != nil {
			return fmt.Errorf("lock an account: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return errUnknownAccount
		}
		if _, err := tx.Exec(ctx, `SELECT FROM auth.projects WHERE id = $1 FOR NO KEY UPDATE`, in); err != nil {
			return fmt.Errorf("lock a project: %w", err)
		}
		before, err := roleOf(ctx, tx, in, user)
		if err != nil {
			return err
		}
		if before == authn.Owner && role != authn.Owner && !s.byAdminOrCommand() {
			if err := checkOtherOwner(ctx, tx, in, user); err != nil {
				return err
			}
		}
		return change(tx, before)
	})
	if err != nil {
		return postgres.Classify(err)
	}
	return nil
}

// checkOtherOwner returns Conflict unless a project has another owner, who is not disabled.
func checkOtherOwner(ctx context.Context, tx pgx.Tx, in int16, user uuid.UUID) error {
	const query = `
		SELECT EXISTS (
			SELECT FROM auth.members m JOIN auth.users u ON u.id = m.user_id
			WHERE m.project = $1 AND m.user_id <> $2 AND m.role = 'owner' AND u.disabled_at IS NULL)`
	var found bool
	if err := tx.QueryRow(ctx, query, in, user).Scan(&found); err != nil {
		return fmt.Errorf("look for another owner: %w", err)
	}
	if !found {
		return errLastOwner
	}
	return nil
}

// setMember gives an account a role in a project, or, for an empty role, ends its membership.
func setMember(ctx context.Context, tx pgx.Tx, in int16, user uuid.UUID, role authn.Role) error {
	const put = `
		INSERT INTO auth.members (project, user_id, role) VALUES ($1, $2, $3)
		ON CONFLICT (project, user_id) DO UPDATE SET role = excluded.role`
	statement, args := put, []any{in, user, role}
	if role == "" {
		statement, args = `DELETE FROM auth.members WHERE project = $1 AND user_id = $2`, args[:2]
	}
	if _, err := tx.Exec(ctx, statement, args...); err != nil {
		return fmt.Errorf("set a member: %w", err)
	}
	return nil
}
