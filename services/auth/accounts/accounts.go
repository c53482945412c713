// Package accounts makes accounts without HTTP, for the command line: somebody must make the first admin.
package accounts

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/password"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
)

// Put creates an account, or gives the one with this e-mail address the password and the role, and ends its logins. The
// rules for e-mail addresses and passwords are those of POST /auth/register; breaking them is an Invalid error. The pool
// must act as hp_auth.
func Put(ctx context.Context, pool *pgxpool.Pool, email, plain string, role authn.Role) error {
	a, err := account.New(email, plain, "", role)
	if err != nil {
		return err
	}
	if a.PasswordHash, err = password.NewHasher().Hash(ctx, plain); err != nil {
		return err
	}
	return postgres.Store{Pool: pool}.PutAccount(ctx, a)
}

// HasAdmin reports whether there is any admin. The pool must act as hp_auth.
func HasAdmin(ctx context.Context, pool *pgxpool.Pool) (bool, error) {
	return postgres.Store{Pool: pool}.HasAdmin(ctx)
}
