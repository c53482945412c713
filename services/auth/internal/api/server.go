// Package api is the HTTP surface of the auth service. internal/openapi/edge checks access and validates requests before
// its handlers run; api.gen.go is generated from the contract.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/keyring"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/password"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
)

// Server implements the operations of the contract with the tag auth.
type Server struct {
	Store      postgres.Store
	Hasher     *password.Hasher
	Ring       *keyring.Ring
	AccessTTL  time.Duration
	RefreshTTL time.Duration
	// RefreshGrace is how long a used refresh token is answered with the same successor again.
	RefreshGrace time.Duration
	// SessionMaxAge is how long a session lasts at most, however often it is renewed.
	SessionMaxAge time.Duration
	// TestLimit is how many tests of digests and alerts a project may ask for within an hour.
	TestLimit    int
	Logger       *slog.Logger
	Attempts     Attempts
	Registration Registration

	sameOrigin http.CrossOriginProtection
}

var _ StrictServerInterface = (*Server)(nil)

// Mount adds the handlers of the operations to r. The middleware that is named last runs first.
func (s *Server) Mount(r chi.Router) {
	strict := NewStrictHandlerWithOptions(s, []StrictMiddlewareFunc{tabular, s.browserSessions, s.Attempts.limit, s.current}, StrictHTTPServerOptions{
		RequestErrorHandlerFunc: problem.Write, ResponseErrorHandlerFunc: problem.Write,
	})
	HandlerWithOptions(strict, ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: problem.Write})
}

// Refresh implements StrictServerInterface.
func (s *Server) Refresh(ctx context.Context, request RefreshRequestObject) (RefreshResponseObject, error) {
	// Check first that a token can be signed: the rotation invalidates the old refresh token.
	if _, err := s.Ring.Signer(ctx); err != nil {
		return nil, err
	}
	next, err := s.Store.Rotate(ctx, request.Body.RefreshToken, postgres.Renewing{Grace: s.RefreshGrace, Life: s.RefreshTTL, Session: s.SessionMaxAge})
	if err != nil {
		return nil, err
	}
	pair, err := s.pair(ctx, next.Account, next.Session, next.Refresh)
	if err != nil {
		return nil, err
	}
	return Refresh200JSONResponse{Body: pair, Headers: Refresh200ResponseHeaders{CacheControl: noStore}}, nil
}

func (s *Server) pair(ctx context.Context, a account.Account, session uuid.UUID, refresh string) (TokenPair, error) {
	key, err := s.Ring.Signer(ctx)
	if err != nil {
		return TokenPair{}, err
	}
	access, err := key.Access(a.ID, session, a.Role, time.Now(), s.AccessTTL)
	if err != nil {
		return TokenPair{}, err
	}
	return TokenPair{
		AccessToken: access, TokenType: TokenPairTokenTypeBearer, ExpiresIn: int(s.AccessTTL.Seconds()), RefreshToken: refresh,
	}, nil
}

// Logout implements StrictServerInterface.
func (s *Server) Logout(ctx context.Context, request LogoutRequestObject) (LogoutResponseObject, error) {
	if err := s.Store.Logout(ctx, request.Body.RefreshToken); err != nil {
		return nil, err
	}
	return Logout204Response{}, nil
}

// GetMe implements StrictServerInterface.
func (s *Server) GetMe(ctx context.Context, _ GetMeRequestObject) (GetMeResponseObject, error) {
	a := callerOf(ctx)
	projects, err := s.Store.Projects(ctx, a.ID, false, "", maxOwnProjects)
	if err != nil {
		return nil, err
	}
	me := GetMe200JSONResponse{
		CreatedAt: a.CreatedAt.UTC(), Email: a.Email, ID: a.ID, Name: a.Name, Role: Role(a.Role), Projects: []ProjectMembership{},
	}
	for _, p := range projects {
		me.Projects = append(me.Projects, ProjectMembership{Slug: p.Slug, Name: p.Name, Role: ProjectRole(p.Role), Archived: p.ArchivedAt != nil})
	}
	return me, nil
}

// GetJWKS implements StrictServerInterface.
func (s *Server) GetJWKS(ctx context.Context, _ GetJWKSRequestObject) (GetJWKSResponseObject, error) {
	keys, err := s.Ring.Keys(ctx)
	if err != nil {
		return nil, err
	}
	return GetJWKS200JSONResponse{Body: keySetAnswer(keys), Headers: GetJWKS200ResponseHeaders{CacheControl: "public, max-age=60"}}, nil
}
