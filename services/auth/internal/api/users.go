package api

import (
	"context"
	"log/slog"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
)

// defaultLimit is the length of a page if the request has no limit.
const defaultLimit = 20

// audit writes a line about what an admin or an admin's key has done, to what. It hands the line to the handler itself, so that
// LOG_LEVEL does not drop it.
func (s *Server) audit(ctx context.Context, action string, target ...any) {
	caller, _ := authn.Require(ctx) // the edge lets nobody else through
	line := slog.NewRecord(time.Now(), slog.LevelInfo, "audit", 0)
	line.Add("action", action, "by", caller.ID())
	line.Add(target...)
	if err := s.Logger.Handler().Handle(ctx, line); err != nil {
		s.Logger.ErrorContext(ctx, "write an audit line", "action", action, "err", err)
	}
}

// ListUsers implements StrictServerInterface.
func (s *Server) ListUsers(ctx context.Context, request ListUsersRequestObject) (ListUsersResponseObject, error) {
	limit, email := pageLimit(request.Params.Limit), ""
	if request.Params.Email != nil {
		email = account.NormalizeEmail(*request.Params.Email)
	}
	accounts, err := s.Store.Accounts(ctx, request.Params.Cursor, email, limit+1) // one more tells whether there is a next page
	if err != nil {
		return nil, err
	}
	list := AccountList{Items: make([]Account, 0, len(accounts))}
	if len(accounts) > limit {
		accounts = accounts[:limit]
		list.NextCursor = &accounts[limit-1].ID
	}
	for _, a := range accounts {
		list.Items = append(list.Items, accountAnswer(a))
	}
	return ListUsers200JSONResponse(list), nil
}

// UpdateUser implements StrictServerInterface.
func (s *Server) UpdateUser(ctx context.Context, request UpdateUserRequestObject) (UpdateUserResponseObject, error) {
	if request.ID == callerOf(ctx).ID {
		return nil, errOwnAccount
	}
	a, err := s.store(ctx).SetDisabled(ctx, request.ID, request.Body.Disabled)
	if err != nil {
		return nil, err
	}
	action := "enable the account"
	if request.Body.Disabled {
		action = "disable the account"
	}
	s.audit(ctx, action, "account", a.ID)
	return UpdateUser200JSONResponse(accountAnswer(a)), nil
}

// EndSessions implements StrictServerInterface.
func (s *Server) EndSessions(ctx context.Context, request EndSessionsRequestObject) (EndSessionsResponseObject, error) {
	a, err := s.store(ctx).EndSessions(ctx, request.ID)
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "end the sessions", "account", a.ID)
	return EndSessions204Response{}, nil
}

// EndOwnSessions implements StrictServerInterface.
func (s *Server) EndOwnSessions(ctx context.Context, _ EndOwnSessionsRequestObject) (EndOwnSessionsResponseObject, error) {
	if _, err := s.Store.EndSessions(ctx, callerOf(ctx).ID); err != nil {
		return nil, err
	}
	return EndOwnSessions204Response{}, nil
}

func accountAnswer(a account.Account) Account {
	return Account{
		ID: a.ID, Email: a.Email, Name: a.Name, Role: Role(a.Role), CreatedAt: a.CreatedAt.UTC(),
		APIKeys: a.APIKeys, LastLoginAt: utc(a.LastLoginAt), DisabledAt: utc(a.DisabledAt), PasswordTemporary: a.PasswordExpiresAt != nil,
	}
}

// utc returns t in UTC, or nil.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}
