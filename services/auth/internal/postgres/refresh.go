package postgres

import (
	"context"
	"crypto/ed25519"
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

// privateKey restores a key from its seed. A constraint of the table guarantees the length.
func privateKey(seed []byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(seed) }

// StartFamily stores the first refresh token of a login.
func (s Store) StartFamily(ctx context.Context, user uuid.UUID, secret string, life time.Duration) error {
	if err := insertRefresh(ctx, s.Pool, user, uuid.Must(uuid.NewV7()), secret, life); err != nil {
		return postgres.Classify(err)
	}
	return nil
}

// querier is implemented by pools and transactions.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func insertRefresh(ctx context.Context, db querier, user, family uuid.UUID, secret string, life time.Duration) error {
	const insert = `
		INSERT INTO auth.refresh_tokens (id, user_id, family_id, token_hash, expires_at)
		VALUES ($1, $2, $3, $4, now() + $5::interval)
		RETURNING id`
	var id uuid.UUID
	err := db.QueryRow(ctx, insert, uuid.Must(uuid.NewV7()), user, family, token.HashSecret(secret), life).Scan(&id)
	if err != nil {
		return fmt.Errorf("insert a refresh token: %w", err)
	}
	return nil
}

var (
	errInvalidRefresh = errs.New(errs.Unauthenticated, "invalid_refresh_token", "The refresh token is not valid. Log in again.")
	errReusedRefresh  = errs.New(errs.Unauthenticated, "refresh_token_reused",
		"The refresh token was used before, so it may have been stolen. All tokens of this login are revoked. Log in again.")
)

// Rotate exchanges a refresh token for its successor and returns the account. A second use of a token, concurrent or later,
// revokes the whole family: one of the two clients is not the owner, and the server cannot tell which.
func (s Store) Rotate(ctx context.Context, secret, successor string, life time.Duration) (account.Account, error) {
	var user account.Account
	reused := false
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		const find = `
			SELECT t.id, t.family_id, t.used_at IS NOT NULL, t.revoked_at IS NOT NULL OR t.expires_at <= now(),
			       u.id, u.email, u.name, u.role, u.created_at
			FROM auth.refresh_tokens t JOIN auth.users u ON u.id = t.user_id
			WHERE t.token_hash = $1
			FOR UPDATE OF t`
		var id, family uuid.UUID
		var used, ended bool
		err := tx.QueryRow(ctx, find, token.HashSecret(secret)).
			Scan(&id, &family, &used, &ended, &user.ID, &user.Email, &user.Name, &user.Role, &user.CreatedAt)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return errInvalidRefresh.Because(err)
		case err != nil:
			return fmt.Errorf("find a refresh token: %w", err)
		case used:
			reused = true // not an error of the transaction, because the revocation must be committed
			return revokeFamily(ctx, tx, family)
		case ended:
			return errInvalidRefresh
		}
		if _, err := tx.Exec(ctx, `UPDATE auth.refresh_tokens SET used_at = now() WHERE id = $1`, id); err != nil {
			return fmt.Errorf("use a refresh token: %w", err)
		}
		return insertRefresh(ctx, tx, user.ID, family, successor, life)
	})
	switch {
	case err != nil:
		return account.Account{}, postgres.Classify(err)
	case reused:
		return account.Account{}, errReusedRefresh
	}
	return user, nil
}

// Logout revokes the family of a refresh token. An unknown token counts as revoked.
func (s Store) Logout(ctx context.Context, secret string) error {
	const query = `SELECT family_id FROM auth.refresh_tokens WHERE token_hash = $1`
	var family uuid.UUID
	err := s.Pool.QueryRow(ctx, query, token.HashSecret(secret)).Scan(&family)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error { return revokeFamily(ctx, tx, family) })
	}
	if err != nil {
		return postgres.Classify(fmt.Errorf("log out: %w", err))
	}
	return nil
}

func revokeFamily(ctx context.Context, tx pgx.Tx, family uuid.UUID) error {
	const update = `UPDATE auth.refresh_tokens SET revoked_at = now() WHERE family_id = $1 AND revoked_at IS NULL`
	if _, err := tx.Exec(ctx, update, family); err != nil {
		return fmt.Errorf("revoke a family of refresh tokens: %w", err)
	}
	return nil
}

// PruneRefreshTokens deletes expired tokens, used or not, and returns their number.
func (s Store) PruneRefreshTokens(ctx context.Context) (int64, error) {
	tag, err := s.Pool.Exec(ctx, `DELETE FROM auth.refresh_tokens WHERE expires_at < now()`)
	if err != nil {
		return 0, postgres.Classify(fmt.Errorf("prune refresh tokens: %w", err))
	}
	return tag.RowsAffected(), nil
}
