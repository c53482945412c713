// Package postgres stores accounts, refresh tokens, API keys and signing keys.
package postgres

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

// Store acts as the role hp_auth.
type Store struct {
	Pool   *pgxpool.Pool
	caller authn.Principal // set by For
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
