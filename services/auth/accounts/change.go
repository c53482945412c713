package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/password"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
)

// ResetPassword gives the account of an e-mail address a temporary password and ends its sessions. It returns the password,
// which works until expires and only to choose another one. Like the other functions below, it returns NotFound if there is no
// such account. The pool must act as hp_auth.
func ResetPassword(ctx context.Context, pool *pgxpool.Pool, email string) (plain string, expires time.Time, err error) {
	plain = account.NewTemporaryPassword()
	hash, err := password.NewHasher().Hash(ctx, plain)
	if err != nil {
		return "", time.Time{}, err
	}
	err = change(ctx, pool, email, func(store postgres.Store, id uuid.UUID) error {
		a, err := store.ResetPassword(audit.WithCommand(ctx), id, hash, account.TemporaryLife)
		if err == nil {
			expires = *a.PasswordExpiresAt
		}
		return err
	})
	return plain, expires, err
}

// SetDisabled disables or enables the account of an e-mail address and ends its sessions. It returns how many API keys of the
// account are neither revoked nor expired: they work only while the account is enabled and an admin.
func SetDisabled(ctx context.Context, pool *pgxpool.Pool, email string, disabled bool) (keys int, err error) {
	err = change(ctx, pool, email, func(store postgres.Store, id uuid.UUID) error {
		a, err := store.SetDisabled(audit.WithCommand(ctx), id, disabled)
		keys = a.APIKeys
		return err
	})
	return keys, err
}

// EndSessions ends the sessions of the account of an e-mail address.
func EndSessions(ctx context.Context, pool *pgxpool.Pool, email string) error {
	return change(ctx, pool, email, func(store postgres.Store, id uuid.UUID) error {
		_, err := store.EndSessions(audit.WithCommand(ctx), id)
		return err
	})
}

func change(ctx context.Context, pool *pgxpool.Pool, email string, apply func(postgres.Store, uuid.UUID) error) error {
	store := postgres.Store{Pool: pool}
	a, err := byEmail(ctx, store, email)
	if err != nil {
		return err
	}
	return apply(store, a.ID)
}

func byEmail(ctx context.Context, store postgres.Store, email string) (account.Account, error) {
	a, err := store.AccountByEmail(ctx, account.NormalizeEmail(email))
	if errs.Is(err, errs.NotFound) {
		return account.Account{}, errs.New(errs.NotFound, "unknown_account", fmt.Sprintf("There is no account with the e-mail address %s.", email))
	}
	return a, err
}

// Find returns the account of an e-mail address. The role of a member of the default project is that of its membership.
func Find(ctx context.Context, pool *pgxpool.Pool, email string) (Listed, error) {
	store := postgres.Store{Pool: pool}
	a, err := byEmail(ctx, store, email)
	found := listed(a)
	if err != nil || a.Role == authn.Admin {
		return found, err
	}
	role, err := store.RoleIn(ctx, authn.DefaultProject, a.ID)
	if role != "" {
		found.Role = role
	}
	return found, err
}

// Listed is an account in a list.
type Listed struct {
	Email      string
	Role       authn.Role
	CreatedAt  time.Time
	LastLogin  *time.Time // nil if nobody has logged in
	DisabledAt *time.Time // nil if the account is enabled
	APIKeys    int        // keys that are neither revoked nor expired
}

func listed(a account.Account) Listed {
	return Listed{Email: a.Email, Role: a.Role, CreatedAt: a.CreatedAt, LastLogin: a.LastLoginAt, DisabledAt: a.DisabledAt, APIKeys: a.APIKeys}
}

// pageSize is how many accounts List reads at a time.
const pageSize = 500

// List calls yield with every account, newest first, until yield returns an error. The pool must act as hp_auth.
func List(ctx context.Context, pool *pgxpool.Pool, yield func(Listed) error) error {
	store := postgres.Store{Pool: pool}
	var after *uuid.UUID
	for {
		page, err := store.Accounts(ctx, after, "", pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, a := range page {
			if err := yield(listed(a)); err != nil {
				return err
			}
		}
		after = &page[len(page)-1].ID
	}
}
