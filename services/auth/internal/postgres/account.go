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
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
)

// CreateAccount stores a new account. It returns Conflict if the e-mail address is taken.
func (s Store) CreateAccount(ctx context.Context, a account.Account) (account.Account, error) {
	a, err := insertAccount(ctx, s.Pool, a)
	if err != nil {
		return account.Account{}, postgres.Classify(err)
	}
	return a, nil
}

func insertAccount(ctx context.Context, db querier, a account.Account) (account.Account, error) {
	const insert = `
		INSERT INTO auth.users (id, email, name, password_hash, role)
		VALUES ($1, $2, $3, $4, $5)
		RETURNING created_at`
	err := db.QueryRow(ctx, insert, a.ID, a.Email, a.Name, a.PasswordHash, a.Role).Scan(&a.CreatedAt)
	if _, taken := postgres.IsCode(err, postgres.UniqueViolation); taken {
		return account.Account{}, errs.New(errs.Conflict, account.EmailTaken, "There is an account with this e-mail address already.",
			errs.Field{Pointer: "/email", Code: account.EmailTaken, Detail: "Log in instead, or use another address."}).Because(err)
	}
	if err != nil {
		return account.Account{}, fmt.Errorf("insert an account: %w", err)
	}
	return a, nil
}

// PutAccount stores an account. If one with the same e-mail address exists, it gets the role and password, and its sessions
// are revoked. Without a role, an existing account keeps its own, and a new one is an admin. The role Owner, Analyst or Viewer
// makes a User who is such a member of the default project, and Admin an owner of it. With the role User the account is no member
// of it any more.
func (s Store) PutAccount(ctx context.Context, a account.Account) error {
	const upsert = `
		WITH former AS (SELECT role FROM auth.users WHERE email = $2)
		INSERT INTO auth.users (id, email, name, password_hash, role)
		VALUES ($1, $2, $3, $4, coalesce(nullif($5, ''), 'admin'))
		ON CONFLICT (email) DO UPDATE SET password_hash = excluded.password_hash,
			password_expires_at = NULL, role = coalesce(nullif($5, ''), users.role), updated_at = now()
		RETURNING id, xmax = 0, role, coalesce((SELECT role FROM former), '')`
	role, membership := a.Role, a.Role
	switch a.Role {
	case authn.Admin, "":
		membership = authn.Owner
	case authn.User:
		membership = ""
	default:
		role = authn.User
	}
	err := postgres.InTx(ctx, s.Pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		var id uuid.UUID
		var inserted bool
		var former authn.Role
		if err := tx.QueryRow(ctx, upsert, a.ID, a.Email, a.Name, a.PasswordHash, role).Scan(&id, &inserted, &role, &former); err != nil {
			return fmt.Errorf("put an account: %w", err)
		}
		formerMembership, err := roleOf(ctx, tx, authn.DefaultProject, id)
		if err != nil {
			return err
		}
		if a.Role == "" && !inserted {
			membership = formerMembership
		} else if err := setMember(ctx, tx, authn.DefaultProject, id, membership); err != nil {
			return err
		}
		if _, err := revokeSessions(ctx, tx, id); err != nil {
			return err
		}
		action, details := accountPasswordSet, audit.Details{"role": role, "role_in_default": membership}
		switch {
		case inserted:
			action = accountCreated
		case role != former || membership != formerMembership:
			action = accountRoleChanged
			details["former_role"], details["former_role_in_default"] = former, formerMembership
		}
		return audit.Record(ctx, tx, audit.Entry{Action: action, Subject: accountSubject(id), Details: details})
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

const accountColumns = `id, email, name, role, password_hash, created_at, password_expires_at, disabled_at, last_login_at`

const (
	selectAccount = `
		SELECT ` + accountColumns + `,
		       (SELECT count(*) FROM auth.api_keys k WHERE k.owner = users.id AND k.revoked_at IS NULL AND coalesce(k.expires_at > now(), true))
		FROM auth.users `
	// selectCaller leaves out the number of keys, which nobody asks for with each request and each refresh.
	selectCaller = `SELECT ` + accountColumns + `, 0 FROM auth.users `
)

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
	if a, err = scanAccount(db.QueryRow(ctx, query, arg)); err != nil {
		return account.Account{}, fmt.Errorf("find an account: %w", err)
	}
	return a, nil
}

// scanAccount reads a row of selectAccount or selectCaller.
func scanAccount(row pgx.Row) (a account.Account, err error) {
	err = row.Scan(&a.ID, &a.Email, &a.Name, &a.Role, &a.PasswordHash, &a.CreatedAt, &a.PasswordExpiresAt, &a.DisabledAt, &a.LastLoginAt, &a.APIKeys)
	return a, err
}

// Accounts returns up to limit accounts, newest first. They follow the account after, if it is not nil, and have the normalized
// e-mail address, if it is not empty.
func (s Store) Accounts(ctx context.Context, after *uuid.UUID, email string, limit int) ([]account.Account, error) {
	const query = selectAccount + `
		WHERE ($1::uuid IS NULL OR id < $1) AND ($2 = '' OR email = $2)
		ORDER BY id DESC
		LIMIT $3`
	rows, err := s.Pool.Query(ctx, query, after, email, limit)
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list accounts: %w", err))
	}
	accounts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (account.Account, error) { return scanAccount(row) })
	if err != nil {
		return nil, postgres.Classify(fmt.Errorf("list accounts: %w", err))
	}
	return accounts, nil
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
