package api

import (
	"context"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
)

type accountContext struct{}

// current reads the account of a caller with an access token, and refuses a token that does not say what is true now: of an
// account that is gone or disabled, with a role that was taken away, or of a session that has ended. Other services accept such
// a token until it expires. This one must not, because what it hands out (keys, passwords, roles) outlives the token.
func (s *Server) current(next StrictHandlerFunc, _ string) StrictHandlerFunc {
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, request any) (any, error) {
		caller, err := authn.Require(ctx)
		if err != nil || !caller.IsUser() {
			return next(ctx, w, r, request) // the edge has decided that the operation needs no account
		}
		a, err := s.Store.Caller(ctx, caller)
		if err != nil {
			return nil, err
		}
		return next(context.WithValue(ctx, accountContext{}, a), w, r, request)
	}
}

// callerOf returns the account of the caller, for operations that x-access opens to users only.
func callerOf(ctx context.Context) account.Account {
	a, _ := ctx.Value(accountContext{}).(account.Account) // set by current
	return a
}

// store returns the store that checks the caller again in the transaction of each change.
func (s *Server) store(ctx context.Context) postgres.Store {
	caller, _ := authn.Require(ctx) // the edge lets nobody else through
	return s.Store.For(caller)
}
