// Package postgres stores accounts, refresh tokens, API keys and signing keys.
package postgres

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

// Store acts as the role hp_auth.
type Store struct{ Pool *pgxpool.Pool }

// CreateKey stores an API key by its hash. It acts for the same account as its maker.
func (s Store) CreateKey(ctx context.Context, key string, maker authn.Principal, k account.APIKey) (account.APIKey, error) {
	const insert = `
		INSERT INTO auth.api_keys (id, name, key_hash, prefix, scopes, created_by, owner)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		RETURNING created_at`
	err := s.Pool.QueryRow(ctx, insert, k.ID, k.Name, authn.HashKey(key), k.Prefix, k.Scopes, maker.ID(), maker.Owner).Scan(&k.CreatedAt)
	if err != nil {
		return account.APIKey{}, postgres.Classify(fmt.Errorf("insert an API key: %w", err))
	}
	return k, nil
}

// Keys lists all API keys, newest first.
func (s Store) Keys(ctx context.Context) ([]account.APIKey, error) {
	rows, err := s.Pool.Query(ctx, `SELECT id, name, prefix, scopes, created_at, revoked_at FROM auth.api_keys ORDER BY created_at DESC, id DESC`)
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list API keys: %w", err))
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[account.APIKey])
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list API keys: %w", err))
	}
	return keys, nil
}

// RevokeKey revokes an API key. It is idempotent, and returns NotFound for an unknown key.
func (s Store) RevokeKey(ctx context.Context, id uuid.UUID) error {
	tag, err := s.Pool.Exec(ctx, `UPDATE auth.api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1`, id)
	if err != nil {
		return postgres.Classify(fmt.Errorf("revoke an API key: %w", err))
	}
	if tag.RowsAffected() == 0 {
		return errs.New(errs.NotFound, "unknown_api_key", "There is no API key with this id.")
	}
	return nil
}

// SigningKeys returns the keys whose tokens may still be valid, newest first. If no key is younger than maxAge, it creates
// one. When several replicas call it at the same time, only one of them creates a key.
func (s Store) SigningKeys(ctx context.Context, maxAge, tokenLife time.Duration) (keys []token.SigningKey, err error) {
	err = postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if keys, err = readSigningKeys(ctx, tx, maxAge, tokenLife); err != nil || len(keys) > 0 && time.Since(keys[0].CreatedAt) < maxAge {
			return err
		}
		if _, err := tx.Exec(ctx, `LOCK TABLE auth.signing_keys IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return fmt.Errorf("lock signing keys: %w", err)
		}
		if keys, err = readSigningKeys(ctx, tx, maxAge, tokenLife); err != nil || len(keys) > 0 && time.Since(keys[0].CreatedAt) < maxAge {
			return err // another replica was first
		}
		k := token.NewSigningKey()
		const insert = `INSERT INTO auth.signing_keys (kid, private_key) VALUES ($1, $2) RETURNING created_at`
		if err := tx.QueryRow(ctx, insert, k.ID, k.Private.Seed()).Scan(&k.CreatedAt); err != nil {
			return fmt.Errorf("insert a signing key: %w", err)
		}
		keys = append([]token.SigningKey{k}, keys...)
		return nil
	})
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("signing keys: %w", err))
	}
	return keys, nil
}

// privateKey restores a key from its seed. A constraint of the table guarantees the length.
func privateKey(seed []byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(seed) }

// readSigningKeys returns the keys that sign, or whose last token has not expired, newest first.
func readSigningKeys(ctx context.Context, tx pgx.Tx, maxAge, tokenLife time.Duration) ([]token.SigningKey, error) {
	const query = `
		SELECT kid, private_key, created_at
		FROM auth.signing_keys
		WHERE retired_at IS NULL AND created_at > now() - $1::interval
		ORDER BY created_at DESC, kid`
	// Twice maxAge leaves room for a successor that is created late and for verifiers whose clock is behind.
	rows, err := tx.Query(ctx, query, 2*maxAge+tokenLife)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	keys, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k token.SigningKey, err error) {
		var seed []byte
		err = row.Scan(&k.ID, &seed, &k.CreatedAt)
		if err == nil {
			k.Private = privateKey(seed)
		}
		return k, err
	})
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	return keys, nil
}
