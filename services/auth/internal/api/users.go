package api

import (
	"context"
	"time"

	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
)

// defaultLimit is the length of a page if the request has no limit.
const defaultLimit = 20

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
	return UpdateUser200JSONResponse(accountAnswer(a)), nil
}

// EndSessions implements StrictServerInterface.
func (s *Server) EndSessions(ctx context.Context, request EndSessionsRequestObject) (EndSessionsResponseObject, error) {
	if _, err := s.store(ctx).EndSessions(ctx, request.ID); err != nil {
		return nil, err
	}
	return EndSessions204Response{}, nil
}

// EndOwnSessions implements StrictServerInterface.
func (s *Server) EndOwnSessions(ctx context.Context, _ EndOwnSessionsRequestObject) (EndOwnSessionsResponseObject, error) {
	if err := s.Store.EndOwnSessions(ctx, callerOf(ctx).ID); err != nil {
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
