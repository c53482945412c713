package postgres

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
)

var (
	errAccountGone     = errs.New(errs.Unauthenticated, "account_gone", "The account behind this token does not exist any more.")
	errAccountDisabled = errs.New(errs.Unauthenticated, "account_disabled", "The account behind this token is disabled.")
	errRoleChanged     = errs.New(errs.Unauthenticated, "role_changed", "The role of the account has changed. Log in again.")
	// errMembershipChanged does not end the login: the account may act elsewhere.
	errMembershipChanged = errs.New(errs.Forbidden, "membership_changed", "The role of the account in the project has changed. Try again.")
	errSessionEnded      = errs.New(errs.Unauthenticated, "session_ended", "The login behind this token has ended. Log in again.")
)

// For returns a store that changes accounts and makes invitations and keys in the name of a caller. The transaction of such a
// change first locks the account of the caller and checks it like Caller. So what takes the caller's rights away comes before
// the change, which then fails, or after it. Callers with an API key are not checked here. The command line acts for nobody.
func (s Store) For(caller authn.Principal) Store {
	s.caller = caller
	return s
}

// Caller returns the account of a caller with an access token. It returns Unauthenticated for a token that does not say what
// is true now: its account is gone or disabled, has another role, or has ended the session that the token belongs to. It returns
// Forbidden for a caller in a project who has another role there by now.
func (s Store) Caller(ctx context.Context, caller authn.Principal) (account.Account, error) {
	a, err := readCaller(ctx, s.Pool, caller)
	if err != nil {
		return account.Account{}, postgres.Classify(err)
	}
	return a, nil
}

// lockAccounts locks the account of the caller and, for an id that is not nil, the account that is to be changed, until tx
// ends. It then checks the caller.
func (s Store) lockAccounts(ctx context.Context, tx pgx.Tx, target uuid.UUID) error {
	if s.caller.Subject == "" {
		return nil
	}
	id, err := uuid.Parse(s.caller.Subject)
	if err != nil {
		return fmt.Errorf("the subject of a caller: %w", err)
	}
	ids := []uuid.UUID{id, target}
	// All lock accounts in the order of their ids, so that two admins who change each other cannot deadlock.
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range ids {
		if _, err := tx.Exec(ctx, `SELECT FROM auth.users WHERE id = $1 FOR NO KEY UPDATE`, id); err != nil {
			return fmt.Errorf("lock an account: %w", err)
		}
	}
	// A statement after the lock sees what its holder before has done.
	_, err = readCaller(ctx, tx, s.caller)
	return err
}

func readCaller(ctx context.Context, db querier, caller authn.Principal) (account.Account, error) {
	a, err := readAccount(ctx, db, selectCaller+`WHERE id = $1`, caller.Subject)
	switch {
	case errs.Is(postgres.Classify(err), errs.NotFound):
		return account.Account{}, errAccountGone.Because(err)
	case err != nil:
		return account.Account{}, err
	case a.DisabledAt != nil:
		return account.Account{}, errAccountDisabled
	case a.Role != caller.AccountRole:
		return account.Account{}, errRoleChanged
	}
	const works = `
		SELECT EXISTS (SELECT FROM auth.sessions WHERE id = nullif($1, '')::uuid AND user_id = $2 AND revoked_at IS NULL)`
	var found bool
	if err := db.QueryRow(ctx, works, caller.Session, a.ID).Scan(&found); err != nil {
		return account.Account{}, fmt.Errorf("find the session of a caller: %w", err)
	}
	if !found {
		return account.Account{}, errSessionEnded
	}
	return a, checkRole(ctx, db, a, caller)
}

// checkRole returns Forbidden for a caller in a project who has another role there by now.
func checkRole(ctx context.Context, db querier, a account.Account, caller authn.Principal) error {
	if caller.Project.ID == 0 || a.Role == authn.Admin {
		return nil
	}
	role, err := roleOf(ctx, db, caller.Project.ID, a.ID)
	if err == nil && role != caller.Role && (role != "" || !caller.Guest) {
		err = errMembershipChanged
	}
	return err
}

// RoleIn returns the role of an account in a project; empty if it is no member.
func (s Store) RoleIn(ctx context.Context, project int16, user uuid.UUID) (authn.Role, error) {
	role, err := roleOf(ctx, s.Pool, project, user)
	if err != nil {
		return "", postgres.Classify(err)
	}
	return role, nil
}

// roleOf returns the role of an account in a project; empty if it is no member.
func roleOf(ctx context.Context, db querier, project int16, user uuid.UUID) (role authn.Role, err error) {
	const query = `SELECT coalesce((SELECT role FROM auth.members WHERE project = $1 AND user_id = $2), '')`
	if err := db.QueryRow(ctx, query, project, user).Scan(&role); err != nil {
		return "", fmt.Errorf("find a member: %w", err)
	}
	return role, nil
}
