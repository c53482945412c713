package api

import (
	"context"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/view"
)

var errShareView = errs.New(errs.Forbidden, "forbidden", "Viewers keep views for themselves. An analyst or owner of the project can share one.")

// ListViews implements StrictServerInterface.
func (s *Server) ListViews(ctx context.Context, _ ListViewsRequestObject) (ListViewsResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Views(ctx, caller)
	if err != nil {
		return nil, err
	}
	answer := ListViews200JSONResponse{Items: make([]SavedView, len(list))}
	for i, v := range list {
		answer.Items[i] = viewAnswer(v)
	}
	return answer, nil
}

// CreateView implements StrictServerInterface.
func (s *Server) CreateView(ctx context.Context, request CreateViewRequestObject) (CreateViewResponseObject, error) {
	caller, content, err := viewOf(ctx, request.Body)
	if err != nil {
		return nil, err
	}
	v, err := s.store(ctx).CreateView(ctx, caller, content)
	if err != nil {
		return nil, err
	}
	return CreateView201JSONResponse{Body: viewAnswer(v), Headers: CreateView201ResponseHeaders{Location: "/views/" + v.ID.String()}}, nil
}

// ReplaceView implements StrictServerInterface.
func (s *Server) ReplaceView(ctx context.Context, request ReplaceViewRequestObject) (ReplaceViewResponseObject, error) {
	caller, content, err := viewOf(ctx, request.Body)
	if err != nil {
		return nil, err
	}
	v, err := s.store(ctx).ReplaceView(ctx, caller, request.ID, content)
	if err != nil {
		return nil, err
	}
	return ReplaceView200JSONResponse(viewAnswer(v)), nil
}

// DeleteView implements StrictServerInterface.
func (s *Server) DeleteView(ctx context.Context, request DeleteViewRequestObject) (DeleteViewResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.store(ctx).DeleteView(ctx, caller, request.ID); err != nil {
		return nil, err
	}
	return DeleteView204Response{}, nil
}

// viewOf returns the caller and what it wants to store. Viewers write nothing that others see.
func viewOf(ctx context.Context, body *SavedViewRequest) (authn.Principal, view.Content, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return authn.Principal{}, view.Content{}, err
	}
	content, err := view.Content{Name: body.Name, Address: body.Address, Shared: body.Shared}.Check()
	if err == nil && content.Shared && caller.Role == authn.Viewer {
		err = errShareView
	}
	return caller, content, err
}

func viewAnswer(v view.View) SavedView {
	return SavedView{
		ID: v.ID, Name: v.Name, Address: v.Address, Shared: v.Shared, Own: v.Own, Owner: v.Owner, CreatedAt: v.CreatedAt.UTC(), UpdatedAt: v.UpdatedAt.UTC(),
	}
}
