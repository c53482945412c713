package accounts

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

// Invite makes an invitation for one account with a role, and returns its id and the token, which is stored as a hash only. The
// pool must act as hp_auth.
func Invite(ctx context.Context, pool *pgxpool.Pool, role authn.Role, life time.Duration) (id, secret string, err error) {
	secret = token.NewInvitation()
	i, err := postgres.Store{Pool: pool}.CreateInvitation(ctx, secret, postgres.Offer{Role: role}, nil, life)
	if err != nil {
		return "", "", err
	}
	return i.ID.String(), secret, nil
}

// RevokeInvitation revokes an invitation. It returns NotFound for an unknown one and Conflict for a used one. The
// pool must act as hp_auth.
func RevokeInvitation(ctx context.Context, pool *pgxpool.Pool, id uuid.UUID) error {
	return postgres.Store{Pool: pool}.RevokeInvitation(ctx, 0, id)
}
