package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

// errInvitation is the same for all reasons, so that it tells nothing about invitations of others.
var errInvitation = errs.New(errs.Forbidden, account.InvitationInvalid,
	"The invitation cannot be used: it is unknown, used, expired, revoked, or its maker is no admin any more. Ask for another one.")

// CreateInvitation stores an invitation by the hash of its token. A nil maker stands for the command line.
func (s Store) CreateInvitation(ctx context.Context, invitation string, role authn.Role, maker *uuid.UUID, life time.Duration) (i account.Invitation, err error) {
	const insert = `
		INSERT INTO auth.invitations (id, token_hash, role, created_by, expires_at)
		VALUES ($1, $2, $3, $4, now() + $5::interval)
		RETURNING created_at, expires_at`
	i = account.Invitation{ID: uuid.Must(uuid.NewV7()), Role: role, CreatedBy: maker}
	err = postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := s.lockAccounts(ctx, tx, uuid.Nil); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, insert, i.ID, token.HashSecret(invitation), role, maker, life).Scan(&i.CreatedAt, &i.ExpiresAt)
		if err != nil {
			return fmt.Errorf("insert an invitation: %w", err)
		}
		return nil
	})
	if err != nil {
		return account.Invitation{}, postgres.Classify(err)
	}
	return i, nil
}

// usable selects the invitation of a token that can be used now.
const usable = `
	token_hash = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > now() AND (
		created_by IS NULL OR
		EXISTS (SELECT FROM auth.users maker WHERE maker.id = created_by AND maker.role = 'admin' AND maker.disabled_at IS NULL))`

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

// AcceptInvitation uses an invitation and stores the account, with the role of the invitation, in one transaction. It returns
// errors like those of CheckInvitation and CreateAccount, after which the invitation can still be used.
func (s Store) AcceptInvitation(ctx context.Context, invitation string, a account.Account) (account.Account, error) {
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		// The row is locked from here on. Another registration with the same invitation waits, and then finds it used.
		const use = `UPDATE auth.invitations SET used_at = now() WHERE ` + usable + ` RETURNING id, role`
		var id uuid.UUID
		err := tx.QueryRow(ctx, use, token.HashSecret(invitation)).Scan(&id, &a.Role)
		if errors.Is(err, pgx.ErrNoRows) {
			return errInvitation.Because(err)
		}
		if err != nil {
			return fmt.Errorf("use an invitation: %w", err)
		}
		if a, err = insertAccount(ctx, tx, a); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE auth.invitations SET used_by = $2 WHERE id = $1`, id, a.ID); err != nil {
			return fmt.Errorf("note who used an invitation: %w", err)
		}
		return nil
	})
	if err != nil {
		return account.Account{}, postgres.Classify(err)
	}
	return a, nil
}

// Invitations returns up to limit invitations, newest first. They follow the invitation after, if it is not nil.
func (s Store) Invitations(ctx context.Context, after *uuid.UUID, limit int) ([]account.Invitation, error) {
	const query = `
		SELECT id, role, created_by, created_at, expires_at, used_at, used_by, revoked_at
		FROM auth.invitations
		WHERE $1::uuid IS NULL OR id < $1
		ORDER BY id DESC
		LIMIT $2`
	rows, err := s.Pool.Query(ctx, query, after, limit)
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list invitations: %w", err))
	}
	invitations, err := pgx.CollectRows(rows, pgx.RowToStructByPos[account.Invitation])
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list invitations: %w", err))
	}
	return invitations, nil
}

// RevokeInvitation revokes an invitation. It is idempotent. It returns NotFound for an unknown invitation, and Conflict for a used
// one, because revoking that does not stop the account that was made with it.
func (s Store) RevokeInvitation(ctx context.Context, id uuid.UUID) error {
	const revoke = `
		UPDATE auth.invitations SET revoked_at = CASE WHEN used_at IS NULL THEN coalesce(revoked_at, now()) END
		WHERE id = $1
		RETURNING used_at IS NOT NULL`
	var used bool
	err := s.Pool.QueryRow(ctx, revoke, id).Scan(&used)
	if errors.Is(err, pgx.ErrNoRows) {
		return errs.New(errs.NotFound, "unknown_invitation", "There is no invitation with this id.")
	}
	if err != nil {
		return postgres.Classify(fmt.Errorf("revoke an invitation: %w", err))
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
		"An account was registered with the invitation: "+email+". The invitation lets nobody else in. To stop the account, disable it.")
}
