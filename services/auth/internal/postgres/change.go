package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
)

var errUnknownAccount = errs.New(errs.NotFound, "unknown_account", "There is no account with this id.")

// change runs a statement that changes, and so locks, the account that its first parameter, id, names, revokes all sessions of
// the account, and does the rest, all in one transaction. It returns the account as it is then, and how many sessions worked
// until now, NotFound if the statement changes no row, or Unauthenticated if For refuses. The statement ends before RETURNING.
func (s Store) change(
	ctx context.Context, statement string, id uuid.UUID, args []any, rest func(pgx.Tx, account.Account) error,
) (a account.Account, ended int64, err error) {
	err = postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if err := s.lockAccounts(ctx, tx, id); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, statement+` RETURNING id`, append([]any{id}, args...)...).Scan(&id); err != nil {
			return fmt.Errorf("change an account: %w", err)
		}
		if ended, err = revokeSessions(ctx, tx, id); err != nil {
			return err
		}
		if a, err = readAccount(ctx, tx, selectAccount+`WHERE id = $1`, id); err != nil {
			return err
		}
		return rest(tx, a)
	})
	if err != nil {
		return account.Account{}, 0, postgres.Classify(err)
	}
	return a, ended, nil
}

// byAdmin is a change of an account that may not exist. The audit log has it as action.
func (s Store) byAdmin(ctx context.Context, action, statement string, id uuid.UUID, args ...any) (account.Account, error) {
	a, _, err := s.change(ctx, statement, id, args, recordAccount(ctx, action))
	if errs.Is(err, errs.NotFound) {
		return account.Account{}, errUnknownAccount.Because(err)
	}
	return a, err
}

// ChangePassword replaces the password that a has, ends all sessions and starts a new one. It returns the id of the new
// session and the number of ended ones. It returns NotFound, and changes nothing, if the account has another password by now, is disabled, or the time to
// replace a temporary password is over.
func (s Store) ChangePassword(ctx context.Context, a account.Account, hash, refresh string, life time.Duration) (session uuid.UUID, ended int64, err error) {
	const update = `
		UPDATE auth.users
		SET password_hash = $3, password_expires_at = NULL, last_login_at = now(), updated_at = now()
		WHERE id = $1 AND password_hash = $2 AND disabled_at IS NULL AND coalesce(password_expires_at > now(), true)`
	_, ended, err = s.change(ctx, update, a.ID, []any{a.PasswordHash, hash}, func(tx pgx.Tx, a account.Account) (err error) {
		session, err = insertSession(ctx, tx, a.ID, refresh, life)
		return err
	})
	return session, ended, err
}

// ResetPassword gives an account a temporary password and ends its sessions. It returns NotFound for an unknown account.
func (s Store) ResetPassword(ctx context.Context, id uuid.UUID, hash string, life time.Duration) (account.Account, error) {
	const update = `
		UPDATE auth.users
		SET password_hash = $2, password_expires_at = now() + $3::interval, updated_at = now()
		WHERE id = $1`
	return s.byAdmin(ctx, accountPasswordReset, update, id, hash, life)
}

// SetDisabled disables or enables an account and ends its sessions. Disabling a disabled account keeps the time. It returns
// NotFound for an unknown account.
func (s Store) SetDisabled(ctx context.Context, id uuid.UUID, disabled bool) (account.Account, error) {
	const update = `
		UPDATE auth.users
		SET disabled_at = CASE WHEN $2 THEN coalesce(disabled_at, now()) END, updated_at = now()
		WHERE id = $1`
	action := accountEnabled
	if disabled {
		action = accountDisabled
	}
	return s.byAdmin(ctx, action, update, id, disabled)
}

// touch changes nothing. It locks the row as a login does, which then comes before or after.
const touch = `UPDATE auth.users SET updated_at = updated_at WHERE id = $1`

// EndSessions revokes all sessions of an account. It returns NotFound for an unknown account.
func (s Store) EndSessions(ctx context.Context, id uuid.UUID) (account.Account, error) {
	return s.byAdmin(ctx, accountSessionsEnded, touch, id)
}

// EndOwnSessions revokes all sessions of the account of a caller. The audit log does not have it.
func (s Store) EndOwnSessions(ctx context.Context, id uuid.UUID) error {
	_, _, err := s.change(ctx, touch, id, nil, func(pgx.Tx, account.Account) error { return nil })
	return err
}
