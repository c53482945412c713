package accounts

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

// Invite makes an invitation for one account with a role, and returns its id and the token, which is stored as a hash only. With
// the role Owner, Analyst or Viewer, an account that exists can use it, too, and joins the project with a slug. The pool must act
// as hp_auth.
func Invite(ctx context.Context, pool *pgxpool.Pool, role authn.Role, project string, life time.Duration) (id, secret string, err error) {
	store, offer := postgres.Store{Pool: pool}, postgres.Offer{Role: role}
	if role != authn.Admin && role != authn.User {
		in, err := store.Project(ctx, project)
		if err != nil {
			return "", "", err
		}
		offer = postgres.Offer{Role: authn.User, Project: in.ID, Membership: role}
	}
	secret = token.NewInvitation()
	i, err := store.CreateInvitation(audit.WithCommand(ctx), secret, offer, nil, life)
	if err != nil {
		return "", "", err
	}
	return i.ID.String(), secret, nil
}

// RevokeInvitation revokes an invitation. It returns NotFound for an unknown one and Conflict for a used one. The
// pool must act as hp_auth.
func RevokeInvitation(ctx context.Context, pool *pgxpool.Pool, id uuid.UUID) error {
	return postgres.Store{Pool: pool}.RevokeInvitation(audit.WithCommand(ctx), 0, id)
}
