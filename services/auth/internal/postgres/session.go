package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

// StartSession stores a login with its first refresh token, and returns the id of the session. It returns NotFound if the account has another password than a
// has by now, or is disabled: a login that was checked before a change must not survive it.
func (s Store) StartSession(ctx context.Context, a account.Account, refresh string, life time.Duration) (session uuid.UUID, err error) {
	// The lock of the row makes a concurrent change of the account wait, which then sees this session and revokes it.
	const login = `
		UPDATE auth.users
		SET last_login_at = now()
		WHERE id = $1 AND password_hash = $2 AND password_expires_at IS NULL AND disabled_at IS NULL
		RETURNING id`
	err = postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) (err error) {
		var id uuid.UUID
		if err := tx.QueryRow(ctx, login, a.ID, a.PasswordHash).Scan(&id); err != nil {
			return fmt.Errorf("note a login: %w", err)
		}
		session, err = insertSession(ctx, tx, id, refresh, life)
		return err
	})
	if err != nil {
		return uuid.Nil, postgres.Classify(err)
	}
	return session, nil
}

// insertSession stores a session of an account, whose row tx has locked, and returns its id.
func insertSession(ctx context.Context, tx pgx.Tx, user uuid.UUID, refresh string, life time.Duration) (uuid.UUID, error) {
	const insert = `INSERT INTO auth.sessions (id, user_id, secret, expires_at) VALUES ($1, $2, $3, now() + $4::interval)`
	id := uuid.Must(uuid.NewV7())
	if _, err := tx.Exec(ctx, insert, id, user, token.NewKey(), life); err != nil {
		return uuid.Nil, fmt.Errorf("insert a session: %w", err)
	}
	return id, insertRefresh(ctx, tx, id, token.HashSecret(refresh), life)
}

func insertRefresh(ctx context.Context, tx pgx.Tx, session uuid.UUID, hash []byte, life time.Duration) error {
	const insert = `INSERT INTO auth.refresh_tokens (token_hash, session_id, expires_at) VALUES ($1, $2, now() + $3::interval)`
	if _, err := tx.Exec(ctx, insert, hash, session, life); err != nil {
		return fmt.Errorf("insert a refresh token: %w", err)
	}
	return nil
}

// session is a locked row of auth.sessions.
type session struct {
	id      uuid.UUID
	user    uuid.UUID
	secret  []byte
	revoked bool
}

// lockSession locks the session of a refresh token until tx ends, and returns it as the holder of the lock before left it.
// It returns pgx.ErrNoRows for an unknown token.
func lockSession(ctx context.Context, tx pgx.Tx, refresh string) (l session, err error) {
	const lock = `
		SELECT id, user_id, secret, revoked_at IS NOT NULL
		FROM auth.sessions
		WHERE id = (SELECT session_id FROM auth.refresh_tokens WHERE token_hash = $1)
		FOR UPDATE`
	if err := tx.QueryRow(ctx, lock, token.HashSecret(refresh)).Scan(&l.id, &l.user, &l.secret, &l.revoked); err != nil {
		return session{}, fmt.Errorf("lock the session of a refresh token: %w", err)
	}
	return l, nil
}

func (l session) revoke(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `UPDATE auth.sessions SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL`, l.id); err != nil {
		return fmt.Errorf("revoke a session: %w", err)
	}
	return nil
}

// Logout revokes the session of a refresh token. An unknown token counts as revoked.
func (s Store) Logout(ctx context.Context, refresh string) error {
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		locked, err := lockSession(ctx, tx, refresh)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return locked.revoke(ctx, tx)
	})
	if err != nil {
		return postgres.Classify(fmt.Errorf("log out: %w", err))
	}
	return nil
}

// revokeSessions revokes all sessions of an account, whose row tx has locked, and returns how many worked until now.
func revokeSessions(ctx context.Context, tx pgx.Tx, user uuid.UUID) (ended int64, err error) {
	const revoke = `
		WITH revoked AS (
			UPDATE auth.sessions SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL RETURNING expires_at
		)
		SELECT count(*) FILTER (WHERE expires_at > now()) FROM revoked`
	if err := tx.QueryRow(ctx, revoke, user).Scan(&ended); err != nil {
		return 0, fmt.Errorf("revoke the sessions of an account: %w", err)
	}
	return ended, nil
}

// PruneSessions deletes expired refresh tokens, used or not, and the sessions that have no others. It returns the number of
// deleted tokens.
func (s Store) PruneSessions(ctx context.Context) (int64, error) {
	tag, err := s.Pool.Exec(ctx, `DELETE FROM auth.refresh_tokens WHERE expires_at < now()`)
	if err == nil {
		_, err = s.Pool.Exec(ctx, `DELETE FROM auth.sessions WHERE expires_at < now()`)
	}
	if err != nil {
		return 0, postgres.Classify(fmt.Errorf("prune sessions: %w", err))
	}
	return tag.RowsAffected(), nil
}
