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

// CreateAccount stores a new account. It returns Conflict if the e-mail address is taken.
func (s Store) CreateAccount(ctx context.Context, a account.Account) (account.Account, error) {
	const insert = `
		INSERT INTO auth.users (id, email, name, password_hash, role)
		VALUES ($1, $2, $3, $4, $5)
		RETURNING created_at`
	err := s.Pool.QueryRow(ctx, insert, a.ID, a.Email, a.Name, a.PasswordHash, a.Role).Scan(&a.CreatedAt)
	if _, taken := postgres.IsCode(err, postgres.UniqueViolation); taken {
		return account.Account{}, errs.New(errs.Conflict, "email_taken", "There is an account with this e-mail address already.",
			errs.Field{Pointer: "/email", Code: "email_taken", Detail: "Log in instead, or use another address."}).Because(err)
	}
	if err != nil {
		return account.Account{}, postgres.Classify(fmt.Errorf("insert an account: %w", err))
	}
	return a, nil
}

// PutAccount stores an account. If one with the same e-mail address exists, it gets the role and password, and its sessions
// are revoked.
func (s Store) PutAccount(ctx context.Context, a account.Account) error {
	const upsert = `
		INSERT INTO auth.users (id, email, name, password_hash, role)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (email) DO UPDATE SET password_hash = excluded.password_hash, role = excluded.role, updated_at = now()
		RETURNING id`
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		var id uuid.UUID
		if err := tx.QueryRow(ctx, upsert, a.ID, a.Email, a.Name, a.PasswordHash, a.Role).Scan(&id); err != nil {
			return fmt.Errorf("put an account: %w", err)
		}
		return revokeSessions(ctx, tx, id)
	})
	if err != nil {
		return postgres.Classify(err)
	}
	return nil
}

// HasAdmin reports whether there is any admin.
func (s Store) HasAdmin(ctx context.Context) (found bool, err error) {
	err = s.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM auth.users WHERE role = 'admin')`).Scan(&found)
	if err != nil {
		return false, postgres.Classify(fmt.Errorf("look for an admin: %w", err))
	}
	return found, nil
}

const selectAccount = `SELECT id, email, name, role, password_hash, created_at FROM auth.users `

// AccountByEmail returns the account of a normalized e-mail address, or NotFound.
func (s Store) AccountByEmail(ctx context.Context, email string) (account.Account, error) {
	return s.account(ctx, selectAccount+`WHERE email = $1`, email)
}

// Account returns an account by id, or NotFound.
func (s Store) Account(ctx context.Context, id string) (account.Account, error) {
	return s.account(ctx, selectAccount+`WHERE id = $1`, id)
}

func (s Store) account(ctx context.Context, query string, arg any) (account.Account, error) {
	a, err := readAccount(ctx, s.Pool, query, arg)
	if err != nil {
		return account.Account{}, postgres.Classify(err)
	}
	return a, nil
}

// querier is implemented by pools and transactions.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func readAccount(ctx context.Context, db querier, query string, arg any) (a account.Account, err error) {
	err = db.QueryRow(ctx, query, arg).Scan(&a.ID, &a.Email, &a.Name, &a.Role, &a.PasswordHash, &a.CreatedAt)
	if err != nil {
		return account.Account{}, fmt.Errorf("find an account: %w", err)
	}
	return a, nil
}

// RenewPasswordHash replaces the hash that a has by one of the same password. It returns NotFound, and changes nothing, if
// the account has another hash by now: the password was changed.
func (s Store) RenewPasswordHash(ctx context.Context, a account.Account, hash string) error {
	const update = `UPDATE auth.users SET password_hash = $3, updated_at = now() WHERE id = $1 AND password_hash = $2 RETURNING id`
	var id uuid.UUID
	if err := s.Pool.QueryRow(ctx, update, a.ID, a.PasswordHash, hash).Scan(&id); err != nil {
		return postgres.Classify(fmt.Errorf("renew a password hash: %w", err))
	}
	return nil
}

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
