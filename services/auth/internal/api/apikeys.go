package api

import (
	"context"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
)

// ListAPIKeys implements StrictServerInterface.
func (s *Server) ListAPIKeys(ctx context.Context, _ ListAPIKeysRequestObject) (ListAPIKeysResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := s.Store.Keys(ctx, caller.Project.ID)
	if err != nil {
		return nil, err
	}
	return ListAPIKeys200JSONResponse(keysAnswer(keys)), nil
}

// CreateAPIKey implements StrictServerInterface.
func (s *Server) CreateAPIKey(ctx context.Context, request CreateAPIKeyRequestObject) (CreateAPIKeyResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	public, err := publicOf(request.Body)
	if err != nil {
		return nil, err
	}
	hook, err := hookOf(request.Body)
	if err != nil {
		return nil, err
	}
	wanted := account.KeyRequest{
		Name: request.Body.Name, Scopes: scopesOf(request.Body.Scopes), Delegate: request.Body.Delegate, ExpiresAt: request.Body.ExpiresAt,
		UnknownProducts: account.UnknownProducts(request.Body.UnknownProducts), Public: public, Hook: hook,
	}
	secret := wanted.Secret()
	k, err := account.NewAPIKey(wanted, secret, time.Now())
	if err != nil {
		return nil, err
	}
	if k, err = s.store(ctx).CreateKey(ctx, secret, caller, k); err != nil {
		return nil, err
	}
	return CreateAPIKey201JSONResponse{
		Body: APIKeyCreated{
			CreatedAt: k.CreatedAt.UTC(), Delegate: k.Delegate, ExpiresAt: utc(k.ExpiresAt), ID: k.ID, Key: secret, Name: k.Name,
			Kind: kindAnswer(k), Public: publicAnswer(k), Project: caller.Project.Slug, Scopes: scopesAnswer(k.Scopes), UnknownProducts: UnknownProducts(k.UnknownProducts),
		},
		Headers: CreateAPIKey201ResponseHeaders{CacheControl: noStore, Location: "/auth/api-keys/" + k.ID.String()},
	}, nil
}

// RevokeAPIKey implements StrictServerInterface.
func (s *Server) RevokeAPIKey(ctx context.Context, request RevokeAPIKeyRequestObject) (RevokeAPIKeyResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	revoked, err := s.Store.RevokeKey(ctx, caller.Project.ID, request.ID)
	if err != nil {
		return nil, err
	}
	return RevokeAPIKey200JSONResponse{Revoked: revoked}, nil
}

// SetSigningSecret implements StrictServerInterface.
func (s *Server) SetSigningSecret(ctx context.Context, request SetSigningSecretRequestObject) (SetSigningSecretResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	secret, problem := account.SigningSecret(request.Body.Secret)
	if problem != "" {
		return nil, errs.New(errs.Invalid, "validation_failed", "The secret cannot be like this.", errs.Field{Pointer: "/secret", Code: "invalid_value", Detail: problem})
	}
	if err := s.store(ctx).SetSigningSecret(ctx, caller.Project.ID, request.ID, secret); err != nil {
		return nil, err
	}
	return SetSigningSecret204Response{}, nil
}
