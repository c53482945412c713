package api

import (
	"context"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
)

var (
	errAccountGone     = errs.New(errs.Unauthenticated, "account_gone", "The account behind this token does not exist any more.")
	errAccountDisabled = errs.New(errs.Unauthenticated, "account_disabled", "The account behind this token is disabled.")
	errRoleChanged     = errs.New(errs.Unauthenticated, "role_changed", "The role of the account has changed. Log in again.")
)

type accountContext struct{}

// current reads the account of a caller with an access token, and refuses a token that does not say what is true now: of an
// account that is gone or disabled, or with a role that was taken away. Other services accept such a token until it expires.
// This one must not, because what it hands out (keys, passwords, roles) outlives the token.
func (s *Server) current(next StrictHandlerFunc, _ string) StrictHandlerFunc {
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, request any) (any, error) {
		caller, err := authn.Require(ctx)
		if err != nil || !caller.IsUser() {
			return next(ctx, w, r, request) // the edge has decided that the operation needs no account
		}
		a, err := s.Store.Account(ctx, caller.Subject)
		switch {
		case errs.Is(err, errs.NotFound):
			return nil, errAccountGone.Because(err)
		case err != nil:
			return nil, err
		case a.DisabledAt != nil:
			return nil, errAccountDisabled
		case a.Role != caller.Role:
			return nil, errRoleChanged
		}
		return next(context.WithValue(ctx, accountContext{}, a), w, r, request)
	}
}

// callerOf returns the account of the caller, for operations that x-access opens to users only.
func callerOf(ctx context.Context) account.Account {
	a, _ := ctx.Value(accountContext{}).(account.Account) // set by current
	return a
}
