package api

import (
	"context"
	"time"

	"github.com/oapi-codegen/runtime/types"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/services/auth/internal/annotation"
)

// ListAnnotations implements StrictServerInterface.
func (s *Server) ListAnnotations(ctx context.Context, request ListAnnotationsRequestObject) (ListAnnotationsResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Annotations(ctx, caller.Project.ID, annotation.Range{From: dateOf(request.Params.From), To: dateOf(request.Params.To)})
	if err != nil {
		return nil, err
	}
	answer := ListAnnotations200JSONResponse{Items: make([]Annotation, len(list))}
	for i, a := range list {
		answer.Items[i] = annotationAnswer(a)
	}
	return answer, nil
}

// CreateAnnotation implements StrictServerInterface.
func (s *Server) CreateAnnotation(ctx context.Context, request CreateAnnotationRequestObject) (CreateAnnotationResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	content, err := annotationOf(request.Body)
	if err != nil {
		return nil, err
	}
	a, err := s.store(ctx).CreateAnnotation(ctx, caller, content)
	if err != nil {
		return nil, err
	}
	return CreateAnnotation201JSONResponse{
		Body: annotationAnswer(a), Headers: CreateAnnotation201ResponseHeaders{Location: "/annotations/" + a.ID.String()},
	}, nil
}

// ReplaceAnnotation implements StrictServerInterface.
func (s *Server) ReplaceAnnotation(ctx context.Context, request ReplaceAnnotationRequestObject) (ReplaceAnnotationResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	content, err := annotationOf(request.Body)
	if err != nil {
		return nil, err
	}
	a, err := s.store(ctx).ReplaceAnnotation(ctx, caller.Project.ID, request.ID, content)
	if err != nil {
		return nil, err
	}
	return ReplaceAnnotation200JSONResponse(annotationAnswer(a)), nil
}

// DeleteAnnotation implements StrictServerInterface.
func (s *Server) DeleteAnnotation(ctx context.Context, request DeleteAnnotationRequestObject) (DeleteAnnotationResponseObject, error) {
	caller, err := authn.Require(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.store(ctx).DeleteAnnotation(ctx, caller.Project.ID, request.ID); err != nil {
		return nil, err
	}
	return DeleteAnnotation204Response{}, nil
}

func annotationOf(body *AnnotationRequest) (annotation.Content, error) {
	return annotation.Content{Day: dateOf(body.Day), At: body.At, Text: body.Text}.Check()
}

func annotationAnswer(a annotation.Annotation) Annotation {
	return Annotation{
		ID: a.ID, Day: types.Date{Time: a.Day}, At: utc(a.At), Text: a.Text, Author: a.Author, CreatedAt: a.CreatedAt.UTC(), UpdatedAt: a.UpdatedAt.UTC(),
	}
}

// dateOf returns nil for a date that is absent.
func dateOf(date *types.Date) *time.Time {
	if date == nil {
		return nil
	}
	return &date.Time
}
