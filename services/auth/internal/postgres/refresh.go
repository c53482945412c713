package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

var (
	errInvalidRefresh = errs.New(errs.Unauthenticated, "invalid_refresh_token", "The refresh token is not valid. Log in again.")
	errIdleSession    = errs.New(errs.Unauthenticated, "session_idle", "The login was not used for too long. Log in again.")
	errOldSession     = errs.New(errs.Unauthenticated, "session_too_old", "The login has reached its greatest age. Log in again.")
	errReusedRefresh  = errs.New(errs.Unauthenticated, "refresh_token_reused",
		"The refresh token was used before, so it may have been stolen. All tokens of this login are revoked. Log in again.")
)

// Renewal is what a refresh token is exchanged for.
type Renewal struct {
	Account account.Account
	Session uuid.UUID
	Refresh string // the next refresh token
}

// Renewing says how long sessions and their tokens work.
type Renewing struct {
	Grace   time.Duration // a used token is answered again
	Life    time.Duration // a token that is not used
	Session time.Duration // a session, however often it is renewed
}

// Rotate exchanges a refresh token for its successor. For a grace period after the first use, the token is
// answered with the same successor, as long as that was not used: another tab of the same client, or a client that did not
// get the answer. Any other second use revokes the session: one of the two clients is not the owner, and the server cannot
// tell which.
func (s Store) Rotate(ctx context.Context, refresh string, times Renewing) (next Renewal, err error) {
	reused := false
	err = postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		locked, err := lockSession(ctx, tx, refresh)
		if errors.Is(err, pgx.ErrNoRows) {
			return errInvalidRefresh.Because(err)
		}
		if err != nil {
			return err
		}
		successor := token.Successor(locked.secret, refresh)
		state, err := readRefresh(ctx, tx, refresh, successor, times)
		switch {
		case err != nil:
			return err
		case locked.revoked:
			return errInvalidRefresh
		case state.old:
			return errOldSession
		case state.idle:
			return errIdleSession
		case state.used && !state.repeatable:
			reused = true // not an error of the transaction, because the revocation must be committed
			return locked.revoke(ctx, tx)
		case !state.used:
			if err := locked.advance(ctx, tx, refresh, successor, times.Life); err != nil {
				return err
			}
		}
		next = Renewal{Session: locked.id, Refresh: successor}
		next.Account, err = readAccount(ctx, tx, selectCaller+`WHERE id = $1`, locked.user)
		return err
	})
	switch {
	case err != nil:
		return Renewal{}, postgres.Classify(err)
	case reused:
		return Renewal{}, errReusedRefresh
	}
	return next, nil
}

// refreshState says what became of a refresh token.
type refreshState struct {
	idle, old  bool // the token has expired; the session may not be renewed any more
	used       bool
	repeatable bool // used a moment ago, and its successor was not used
}

// readRefresh reads the state of a token whose session is locked. It is a statement after the one that took the lock, because
// only a later snapshot shows what the previous holder of the lock has done.
func readRefresh(ctx context.Context, tx pgx.Tx, refresh, successor string, times Renewing) (state refreshState, err error) {
	const query = `
		SELECT expires_at <= now(), (SELECT created_at FROM auth.sessions WHERE id = session_id) <= now() - $4::interval, used_at IS NOT NULL,
		       coalesce(used_at > now() - $3::interval, false) AND EXISTS (
		           SELECT FROM auth.refresh_tokens WHERE token_hash = $2 AND used_at IS NULL AND expires_at > now())
		FROM auth.refresh_tokens
		WHERE token_hash = $1`
	err = tx.QueryRow(ctx, query, token.HashSecret(refresh), token.HashSecret(successor), times.Grace, times.Session).
		Scan(&state.idle, &state.old, &state.used, &state.repeatable)
	if err != nil {
		return refreshState{}, fmt.Errorf("read a refresh token: %w", err)
	}
	return state, nil
}

// advance marks a token as used and stores its successor.
func (l session) advance(ctx context.Context, tx pgx.Tx, refresh, successor string, life time.Duration) error {
	if _, err := tx.Exec(ctx, `UPDATE auth.refresh_tokens SET used_at = now() WHERE token_hash = $1`, token.HashSecret(refresh)); err != nil {
		return fmt.Errorf("use a refresh token: %w", err)
	}
	const extend = `UPDATE auth.sessions SET expires_at = greatest(expires_at, now() + $2::interval) WHERE id = $1`
	if _, err := tx.Exec(ctx, extend, l.id, life); err != nil {
		return fmt.Errorf("extend a session: %w", err)
	}
	return insertRefresh(ctx, tx, l.id, token.HashSecret(successor), life)
}
