package accounts

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
)

// Key is an API key as listed.
type Key = account.APIKey

// KeyRequest says what an API key shall be.
type KeyRequest = account.KeyRequest

// PublicKey says what may be sent with a public key.
type PublicKey = authn.PublicKey

// Hook says whose webhooks the address with a key takes.
type Hook = authn.Hook

// CreateUnknown makes a key create placeholder products for unknown SKUs.
const CreateUnknown = account.CreateUnknown

// Keys lists the API keys of the project with a slug, or of all projects for "", newest first. The pool must act as hp_auth.
func Keys(ctx context.Context, pool *pgxpool.Pool, project string) ([]Key, error) {
	store := postgres.Store{Pool: pool}
	if project == "" {
		return store.Keys(ctx, 0)
	}
	p, err := store.Project(ctx, project)
	if err != nil {
		return nil, err
	}
	return store.Keys(ctx, p.ID)
}

// CreateKey makes an API key of the project with a slug for the admin or owner with an e-mail address, by the rules of POST
// /auth/api-keys, and returns its id and the key itself. The pool must act as hp_auth.
func CreateKey(ctx context.Context, pool *pgxpool.Pool, project, email string, request KeyRequest) (id uuid.UUID, secret string, err error) {
	store := postgres.Store{Pool: pool}
	owner, err := byEmail(ctx, store, email)
	if err != nil {
		return uuid.Nil, "", err
	}
	in, err := store.Project(ctx, project)
	if err != nil {
		return uuid.Nil, "", err
	}
	secret = request.Secret()
	k, err := account.NewAPIKey(request, secret, time.Now())
	if err != nil {
		return uuid.Nil, "", err
	}
	maker := authn.Principal{Subject: owner.ID.String(), Owner: owner.ID.String(), Project: authn.Project{ID: in.ID}}
	if _, err := store.CreateKey(audit.WithCommand(ctx), secret, maker, k); err != nil {
		return uuid.Nil, "", err
	}
	return k.ID, secret, nil
}

// RevokeKey revokes an API key and all keys that were made with it, and returns how many were not revoked before. The pool
// must act as hp_auth.
func RevokeKey(ctx context.Context, pool *pgxpool.Pool, id uuid.UUID) (int, error) {
	return postgres.Store{Pool: pool}.RevokeKey(audit.WithCommand(ctx), 0, id)
}
