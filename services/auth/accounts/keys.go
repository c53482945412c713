package accounts

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
)

// Key is an API key as listed.
type Key = account.APIKey

// KeyRequest says what an API key shall be.
type KeyRequest = account.KeyRequest

// Keys lists all API keys, newest first. The pool must act as hp_auth.
func Keys(ctx context.Context, pool *pgxpool.Pool) ([]Key, error) {
	return postgres.Store{Pool: pool}.Keys(ctx)
}

// CreateKey makes an API key for the admin with an e-mail address, by the rules of POST /auth/api-keys, and returns its id and
// the key itself. The pool must act as hp_auth.
func CreateKey(ctx context.Context, pool *pgxpool.Pool, email string, request KeyRequest) (id uuid.UUID, secret string, err error) {
	store := postgres.Store{Pool: pool}
	owner, err := byEmail(ctx, store, email)
	if err != nil {
		return uuid.Nil, "", err
	}
	secret = authn.NewKey()
	k, err := account.NewAPIKey(request, secret, time.Now())
	if err != nil {
		return uuid.Nil, "", err
	}
	maker := authn.Principal{Subject: owner.ID.String(), Owner: owner.ID.String(), Role: owner.Role}
	if _, err := store.CreateKey(ctx, secret, maker, k); err != nil {
		return uuid.Nil, "", err
	}
	return k.ID, secret, nil
}

// RevokeKey revokes an API key and all keys that were made with it, and returns how many were not revoked before. The pool
// must act as hp_auth.
func RevokeKey(ctx context.Context, pool *pgxpool.Pool, id uuid.UUID) (int, error) {
	return postgres.Store{Pool: pool}.RevokeKey(ctx, id)
}
