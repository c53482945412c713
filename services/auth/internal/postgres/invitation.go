package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/project"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

// errInvitation is the same for all reasons, so that it tells nothing about invitations of others.
var errInvitation = errs.New(errs.Forbidden, account.InvitationInvalid,
	"The invitation cannot be used: it is unknown, used, expired, revoked, or its maker may not invite any more. Ask for another one.")

// Offer is what an invitation offers: an account with a role, and, unless Project is 0, a membership of a project.
type Offer struct {
	Role       authn.Role
	Project    int16
	Membership authn.Role
}

// CreateInvitation stores an invitation by the hash of its token. A nil maker stands for the command line.
func (s Store) CreateInvitation(ctx context.Context, invitation string, offer Offer, maker *uuid.UUID, life time.Duration) (i account.Invitation, err error) {
	const insert = `
		INSERT INTO auth.invitations (id, token_hash, role, project, membership, created_by, expires_at)
		VALUES ($1, $2, $3, nullif($4, 0::smallint), nullif($5, ''), $6, now() + $7::interval)
		RETURNING created_at, expires_at`
	i = account.Invitation{ID: uuid.Must(uuid.NewV7()), Role: offer.Role, CreatedBy: maker}
	err = postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := s.lockAccounts(ctx, tx, uuid.Nil); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, insert, i.ID, token.HashSecret(invitation), offer.Role, offer.Project, offer.Membership, maker, life).
			Scan(&i.CreatedAt, &i.ExpiresAt)
		if err != nil {
			return fmt.Errorf("insert an invitation: %w", err)
		}
		return offer.record(ctx, tx, invitationCreated, i.ID, audit.Actor{}, audit.Details{"expires_at": i.ExpiresAt.UTC()})
	})
	if err != nil {
		return account.Invitation{}, postgres.Classify(err)
	}
	return i, nil
}

// usable selects the invitation of a token that can be used now: its project is not archived, and its maker is enabled, and an admin, or an
// owner of the project.
const usable = `
	token_hash = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > now()
	AND NOT EXISTS (SELECT FROM auth.projects p WHERE p.id = invitations.project AND p.archived_at IS NOT NULL) AND (
		created_by IS NULL OR
		EXISTS (
			SELECT FROM auth.users maker
			WHERE maker.id = created_by AND maker.disabled_at IS NULL AND (maker.role = 'admin' OR EXISTS (
				SELECT FROM auth.members m WHERE m.project = invitations.project AND m.user_id = maker.id AND m.role = 'owner'))))`

// CheckInvitation returns an error with the code account.InvitationInvalid unless the invitation can be used.
func (s Store) CheckInvitation(ctx context.Context, invitation string) error {
	if !token.IsInvitation(invitation) {
		return errInvitation
	}
	var found bool
	err := s.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM auth.invitations WHERE `+usable+`)`, token.HashSecret(invitation)).Scan(&found)
	if err != nil {
		return postgres.Classify(fmt.Errorf("check an invitation: %w", err))
	}
	if !found {
		return errInvitation
	}
	return nil
}

// AcceptInvitation uses an invitation and stores the account, with the role of the invitation and its membership, in one
// transaction. It returns errors like those of CheckInvitation and CreateAccount, after which the invitation can still be used.
func (s Store) AcceptInvitation(ctx context.Context, invitation string, a account.Account) (account.Account, error) {
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		id, offer, err := useInvitation(ctx, tx, invitation)
		if err != nil {
			return err
		}
		a.Role = offer.Role
		if a, err = insertAccount(ctx, tx, a); err != nil {
			return err
		}
		if a.Role == authn.Admin {
			if err := setMember(ctx, tx, authn.DefaultProject, a.ID, authn.Owner); err != nil {
				return err
			}
		}
		if err := offer.fulfil(ctx, tx, id, a.ID); err != nil {
			return err
		}
		// The caller is whoever has the invitation.
		return offer.record(ctx, tx, accountRegistered, id, audit.User(a.ID.String()), nil)
	})
	if err != nil {
		return account.Account{}, postgres.Classify(err)
	}
	return a, nil
}

// JoinProject uses an invitation to a project for the account of the caller, and returns the project with its role there. It
// returns an error with the code account.InvitationInvalid for an invitation to no project, and Conflict for a member; then the
// invitation can still be used.
func (s Store) JoinProject(ctx context.Context, invitation string) (p project.Project, err error) {
	if !token.IsInvitation(invitation) {
		return project.Project{}, errInvitation
	}
	user, err := uuid.Parse(s.caller.Subject)
	if err != nil {
		return project.Project{}, fmt.Errorf("the subject of a caller: %w", err)
	}
	err = postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := s.lockAccounts(ctx, tx, uuid.Nil); err != nil {
			return err
		}
		id, offer, err := useInvitation(ctx, tx, invitation)
		if err != nil {
			return err
		}
		if offer.Project == 0 {
			return errInvitation
		}
		if p, err = scanProject(tx.QueryRow(ctx, `SELECT `+projectColumns+` FROM auth.projects p WHERE id = $1`, offer.Project)); err != nil {
			return fmt.Errorf("find the project of an invitation: %w", err)
		}
		role, err := roleOf(ctx, tx, offer.Project, user)
		if err == nil && role != "" {
			err = errs.New(errs.Conflict, account.AlreadyMember,
				"The account is a member of the project "+p.Slug+" already, with the role "+string(role)+". An owner can change that.")
		}
		if err != nil {
			return err
		}
		p.Role = offer.Membership
		if err := offer.fulfil(ctx, tx, id, user); err != nil {
			return err
		}
		return offer.record(ctx, tx, invitationAccepted, id, audit.Actor{}, nil)
	})
	if err != nil {
		return project.Project{}, postgres.Classify(err)
	}
	return p, nil
}

// useInvitation uses an invitation and returns its id and what it offers. Its row is locked until tx ends: another user of the
// same invitation waits, and then finds it used.
func useInvitation(ctx context.Context, tx pgx.Tx, invitation string) (id uuid.UUID, offer Offer, err error) {
	const use = `
		UPDATE auth.invitations SET used_at = now()
		WHERE ` + usable + `
		RETURNING id, role, coalesce(project, 0), coalesce(membership, '')`
	err = tx.QueryRow(ctx, use, token.HashSecret(invitation)).Scan(&id, &offer.Role, &offer.Project, &offer.Membership)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, Offer{}, errInvitation.Because(err)
	}
	if err != nil {
		return uuid.Nil, Offer{}, fmt.Errorf("use an invitation: %w", err)
	}
	return id, offer, nil
}

// record adds what was done with an invitation to the audit log.
func (o Offer) record(ctx context.Context, tx pgx.Tx, action string, invitation uuid.UUID, by audit.Actor, details audit.Details) error {
	all := audit.Details{"role": o.Role}
	if o.Membership != "" {
		all["role_in_project"] = o.Membership
	}
	maps.Copy(all, details)
	return audit.Record(ctx, tx, audit.Entry{Action: action, Project: o.Project, Subject: invitationSubject(invitation), Actor: by, Details: all})
}

// fulfil makes an account a member, if that is offered, and records that it used the invitation.
func (o Offer) fulfil(ctx context.Context, tx pgx.Tx, invitation, user uuid.UUID) error {
	if o.Project != 0 {
		if err := setMember(ctx, tx, o.Project, user, o.Membership); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, `UPDATE auth.invitations SET used_by = $2 WHERE id = $1`, invitation, user); err != nil {
		return fmt.Errorf("note who used an invitation: %w", err)
	}
	return nil
}

// Invitations returns up to limit invitations to a project, or, for project 0, all, newest first. They follow the invitation
// after, if it is not nil.
func (s Store) Invitations(ctx context.Context, project int16, after *uuid.UUID, limit int) ([]account.Invitation, error) {
	const query = `
		SELECT i.id, i.role, p.slug, i.membership, i.created_by, i.created_at, i.expires_at, i.used_at, i.used_by, i.revoked_at
		FROM auth.invitations i
		LEFT JOIN auth.projects p ON p.id = i.project
		WHERE ($1 = 0 OR i.project = $1) AND ($2::uuid IS NULL OR i.id < $2)
		ORDER BY i.id DESC
		LIMIT $3`
	rows, err := s.Pool.Query(ctx, query, project, after, limit)
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list invitations: %w", err))
	}
	invitations, err := pgx.CollectRows(rows, pgx.RowToStructByPos[account.Invitation])
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list invitations: %w", err))
	}
	return invitations, nil
}

// RevokeInvitation revokes an invitation to a project, or, for project 0, any. It is idempotent. It returns NotFound for an unknown invitation, and Conflict for a used
// one, because revoking that does not stop the account that was made with it.
func (s Store) RevokeInvitation(ctx context.Context, project int16, id uuid.UUID) error {
	const lock = `
		SELECT used_at IS NOT NULL, revoked_at IS NOT NULL, role, coalesce(project, 0), coalesce(membership, '')
		FROM auth.invitations
		WHERE id = $1 AND ($2 = 0 OR project = $2)
		FOR UPDATE`
	const revoke = `UPDATE auth.invitations SET revoked_at = now() WHERE id = $1`
	var used, revoked bool
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		var offer Offer
		err := tx.QueryRow(ctx, lock, id, project).Scan(&used, &revoked, &offer.Role, &offer.Project, &offer.Membership)
		if errors.Is(err, pgx.ErrNoRows) {
			return errs.New(errs.NotFound, "unknown_invitation", "There is no invitation with this id.")
		}
		if err != nil {
			return fmt.Errorf("lock an invitation: %w", err)
		}
		if used || revoked {
			return nil
		}
		if _, err := tx.Exec(ctx, revoke, id); err != nil {
			return fmt.Errorf("revoke an invitation: %w", err)
		}
		return offer.record(ctx, tx, invitationRevoked, id, audit.Actor{}, nil)
	})
	if err != nil {
		return postgres.Classify(err)
	}
	if !used {
		return nil
	}
	// A statement of its own sees the account, even if the registration has committed while the update waited.
	const user = `
		SELECT coalesce(u.email, 'one that is gone')
		FROM auth.invitations i LEFT JOIN auth.users u ON u.id = i.used_by
		WHERE i.id = $1`
	var email string
	if err := s.Pool.QueryRow(ctx, user, id).Scan(&email); err != nil {
		return postgres.Classify(fmt.Errorf("find who used an invitation: %w", err))
	}
	return errs.New(errs.Conflict, "invitation_used",
		"An account used the invitation: "+email+". The invitation lets nobody else in. To stop the account, end its membership or disable it.")
}
