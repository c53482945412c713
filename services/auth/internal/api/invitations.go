package api

import (
	"context"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

// defaultInvitationHours is how long an invitation is valid if the request does not say it.
const defaultInvitationHours = 7 * 24

// CreateInvitation implements StrictServerInterface.
func (s *Server) CreateInvitation(ctx context.Context, request CreateInvitationRequestObject) (CreateInvitationResponseObject, error) {
	hours := defaultInvitationHours
	if request.Body.ValidHours != nil {
		hours = *request.Body.ValidHours
	}
	secret, maker := token.NewInvitation(), callerOf(ctx).ID
	i, err := s.store(ctx).CreateInvitation(ctx, secret, authn.Role(request.Body.Role), &maker, time.Duration(hours)*time.Hour)
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "invite", "invitation", i.ID, "role", i.Role)
	return CreateInvitation201JSONResponse{
		Body:    InvitationCreated{ID: i.ID, Role: Role(i.Role), Token: secret, ExpiresAt: i.ExpiresAt.UTC()},
		Headers: CreateInvitation201ResponseHeaders{CacheControl: noStore, Location: "/auth/invitations/" + i.ID.String()},
	}, nil
}

// ListInvitations implements StrictServerInterface.
func (s *Server) ListInvitations(ctx context.Context, request ListInvitationsRequestObject) (ListInvitationsResponseObject, error) {
	limit := defaultLimit
	if request.Params.Limit != nil {
		limit = *request.Params.Limit
	}
	invitations, err := s.Store.Invitations(ctx, request.Params.Cursor, limit+1) // one more tells whether there is a next page
	if err != nil {
		return nil, err
	}
	list := InvitationList{Items: make([]Invitation, 0, len(invitations))}
	if len(invitations) > limit {
		invitations = invitations[:limit]
		list.NextCursor = &invitations[limit-1].ID
	}
	for _, i := range invitations {
		list.Items = append(list.Items, invitationAnswer(i))
	}
	return ListInvitations200JSONResponse(list), nil
}

// RevokeInvitation implements StrictServerInterface.
func (s *Server) RevokeInvitation(ctx context.Context, request RevokeInvitationRequestObject) (RevokeInvitationResponseObject, error) {
	if err := s.Store.RevokeInvitation(ctx, request.ID); err != nil {
		return nil, err
	}
	s.audit(ctx, "revoke the invitation", "invitation", request.ID)
	return RevokeInvitation204Response{}, nil
}

func invitationAnswer(i account.Invitation) Invitation {
	return Invitation{
		ID: i.ID, Role: Role(i.Role), CreatedBy: i.CreatedBy, CreatedAt: i.CreatedAt.UTC(), ExpiresAt: i.ExpiresAt.UTC(),
		UsedAt: utc(i.UsedAt), UsedBy: i.UsedBy, RevokedAt: utc(i.RevokedAt),
	}
}
