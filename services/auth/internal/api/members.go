package api

import (
	"context"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/project"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/token"
)

// projectOf returns the project of the request, which the edge has found.
func projectOf(ctx context.Context) authn.Project {
	caller, _ := authn.Require(ctx) // the edge lets nobody else through
	return caller.Project
}

// ListMembers implements StrictServerInterface.
func (s *Server) ListMembers(ctx context.Context, request ListMembersRequestObject) (ListMembersResponseObject, error) {
	limit := pageLimit(request.Params.Limit)
	members, err := s.Store.Members(ctx, projectOf(ctx).ID, request.Params.Cursor, limit+1) // one more tells whether there is a next page
	if err != nil {
		return nil, err
	}
	list := MemberList{Items: make([]Member, 0, len(members))}
	if len(members) > limit {
		members = members[:limit]
		list.NextCursor = &members[limit-1].UserID
	}
	for _, m := range members {
		list.Items = append(list.Items, memberAnswer(m))
	}
	return ListMembers200JSONResponse(list), nil
}

// PutMember implements StrictServerInterface.
func (s *Server) PutMember(ctx context.Context, request PutMemberRequestObject) (PutMemberResponseObject, error) {
	in := projectOf(ctx)
	m, err := s.store(ctx).PutMember(ctx, in.ID, request.UserID, authn.Role(request.Body.Role))
	if err != nil {
		return nil, err
	}
	return PutMember200JSONResponse(memberAnswer(m)), nil
}

// RemoveMember implements StrictServerInterface.
func (s *Server) RemoveMember(ctx context.Context, request RemoveMemberRequestObject) (RemoveMemberResponseObject, error) {
	in := projectOf(ctx)
	if err := s.store(ctx).RemoveMember(ctx, in.ID, request.UserID); err != nil {
		return nil, err
	}
	return RemoveMember204Response{}, nil
}

// ListProjectInvitations implements StrictServerInterface.
func (s *Server) ListProjectInvitations(ctx context.Context, request ListProjectInvitationsRequestObject) (ListProjectInvitationsResponseObject, error) {
	list, err := s.invitations(ctx, projectOf(ctx).ID, request.Params.Limit, request.Params.Cursor)
	if err != nil {
		return nil, err
	}
	return ListProjectInvitations200JSONResponse(list), nil
}

// CreateProjectInvitation implements StrictServerInterface.
func (s *Server) CreateProjectInvitation(ctx context.Context, request CreateProjectInvitationRequestObject) (CreateProjectInvitationResponseObject, error) {
	in, secret, maker := projectOf(ctx), token.NewInvitation(), callerOf(ctx).ID
	offer := postgres.Offer{Role: authn.User, Project: in.ID, Membership: authn.Role(request.Body.Role)}
	i, err := s.store(ctx).CreateInvitation(ctx, secret, offer, &maker, validity(request.Body.ValidHours))
	if err != nil {
		return nil, err
	}
	return CreateProjectInvitation201JSONResponse{
		Body: ProjectInvitationCreated{ID: i.ID, Project: in.Slug, Role: request.Body.Role, Token: secret, ExpiresAt: i.ExpiresAt.UTC()},
		Headers: CreateProjectInvitation201ResponseHeaders{
			CacheControl: noStore, Location: "/auth/projects/" + in.Slug + "/invitations/" + i.ID.String(),
		},
	}, nil
}

// RevokeProjectInvitation implements StrictServerInterface.
func (s *Server) RevokeProjectInvitation(ctx context.Context, request RevokeProjectInvitationRequestObject) (RevokeProjectInvitationResponseObject, error) {
	in := projectOf(ctx)
	if err := s.Store.RevokeInvitation(ctx, in.ID, request.ID); err != nil {
		return nil, err
	}
	return RevokeProjectInvitation204Response{}, nil
}

func memberAnswer(m project.Member) Member {
	return Member{UserID: m.UserID, Email: m.Email, Name: m.Name, Role: ProjectRole(m.Role), CreatedAt: m.CreatedAt.UTC()}
}
