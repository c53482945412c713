package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/account"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

// defaultInvitationHours is how long an invitation is valid if the request does not say it.
const defaultInvitationHours = 7 * 24

// CreateInvitation implements StrictServerInterface.
func (s *Server) CreateInvitation(ctx context.Context, request CreateInvitationRequestObject) (CreateInvitationResponseObject, error) {
	secret, maker := token.NewInvitation(), callerOf(ctx).ID
	offer := postgres.Offer{Role: authn.Role(request.Body.Role)}
	i, err := s.store(ctx).CreateInvitation(ctx, secret, offer, &maker, validity(request.Body.ValidHours))
	if err != nil {
		return nil, err
	}
	return CreateInvitation201JSONResponse{
		Body:    InvitationCreated{ID: i.ID, Role: Role(i.Role), Token: secret, ExpiresAt: i.ExpiresAt.UTC()},
		Headers: CreateInvitation201ResponseHeaders{CacheControl: noStore, Location: "/auth/invitations/" + i.ID.String()},
	}, nil
}

// validity returns how long an invitation is valid.
func validity(hours *int) time.Duration {
	if hours == nil {
		return defaultInvitationHours * time.Hour
	}
	return time.Duration(*hours) * time.Hour
}

// AcceptInvitation implements StrictServerInterface.
func (s *Server) AcceptInvitation(ctx context.Context, request AcceptInvitationRequestObject) (AcceptInvitationResponseObject, error) {
	p, err := s.store(ctx).JoinProject(ctx, request.Body.Invitation)
	if err != nil {
		return nil, err
	}
	return AcceptInvitation200JSONResponse{Slug: p.Slug, Name: p.Name, Role: ProjectRole(p.Role), Archived: p.ArchivedAt != nil}, nil
}

// ListInvitations implements StrictServerInterface.
func (s *Server) ListInvitations(ctx context.Context, request ListInvitationsRequestObject) (ListInvitationsResponseObject, error) {
	list, err := s.invitations(ctx, 0, request.Params.Limit, request.Params.Cursor)
	if err != nil {
		return nil, err
	}
	return ListInvitations200JSONResponse(list), nil
}

// invitations returns a page of the invitations to a project, or, for project 0, of all.
func (s *Server) invitations(ctx context.Context, project int16, limit *int, cursor *uuid.UUID) (InvitationList, error) {
	n := pageLimit(limit)
	invitations, err := s.Store.Invitations(ctx, project, cursor, n+1) // one more tells whether there is a next page
	if err != nil {
		return InvitationList{}, err
	}
	list := InvitationList{Items: make([]Invitation, 0, len(invitations))}
	if len(invitations) > n {
		invitations = invitations[:n]
		list.NextCursor = &invitations[n-1].ID
	}
	for _, i := range invitations {
		list.Items = append(list.Items, invitationAnswer(i))
	}
	return list, nil
}

// pageLimit returns how many items a page holds at most.
func pageLimit(limit *int) int {
	if limit == nil {
		return defaultLimit
	}
	return *limit
}

// RevokeInvitation implements StrictServerInterface.
func (s *Server) RevokeInvitation(ctx context.Context, request RevokeInvitationRequestObject) (RevokeInvitationResponseObject, error) {
	if err := s.Store.RevokeInvitation(ctx, 0, request.ID); err != nil {
		return nil, err
	}
	return RevokeInvitation204Response{}, nil
}

func invitationAnswer(i account.Invitation) Invitation {
	return Invitation{
		ID: i.ID, Role: Role(i.Role), Project: i.Project, ProjectRole: (*string)(i.Membership), CreatedBy: i.CreatedBy, CreatedAt: i.CreatedAt.UTC(), ExpiresAt: i.ExpiresAt.UTC(),
		UsedAt: utc(i.UsedAt), UsedBy: i.UsedBy, RevokedAt: utc(i.RevokedAt),
	}
}
