// Package accounts creates accounts without HTTP, for the command line: the first admin cannot be created through the API. The
// audit log has its changes as those of the user of the operating system.
package accounts

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/password"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
)

// Put creates an account. If one with this e-mail address exists, it gets the password and the role, and its refresh tokens
// are revoked. An empty role keeps that of an existing account and makes a new one an admin. The roles Owner, Analyst and Viewer
// make a user a member of the default project, and User ends that. E-mail address and password must follow the rules of POST /auth/register, or Put returns an Invalid error.
// The pool must act as hp_auth.
func Put(ctx context.Context, pool *pgxpool.Pool, email, plain string, role authn.Role) error {
	a, err := account.New(email, plain, "", role)
	if err != nil {
		return err
	}
	if a.PasswordHash, err = password.NewHasher().Hash(ctx, plain); err != nil {
		return err
	}
	return postgres.Store{Pool: pool}.PutAccount(audit.WithCommand(ctx), a)
}

// HasAdmin reports whether there is any admin. The pool must act as hp_auth.
func HasAdmin(ctx context.Context, pool *pgxpool.Pool) (bool, error) {
	return postgres.Store{Pool: pool}.HasAdmin(ctx)
}
