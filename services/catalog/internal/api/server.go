// Package api is the HTTP surface of the catalog: it turns requests into calls of the store, and products into answers.
// internal/openapi/edge checks access and validates requests before its handlers run; api.gen.go is generated from the
// contract.
package api

import (
	"context"
	"log/slog"

	"github.com/go-chi/chi/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// defaultLimit is the length of a page if the request has no limit.
const defaultLimit = 20

// Server implements the operations of the contract with the tag catalog.
type Server struct {
	store   *postgres.Store
	bodies  *body.Opener
	answers *answers
}

var _ StrictServerInterface = (*Server)(nil)

// NewServer returns a server that reads products through caches, and the bodies of bulk requests through bodies.
func NewServer(store *postgres.Store, caches Caches, bodies *body.Opener, logger *slog.Logger) *Server {
	return &Server{store: store, bodies: bodies, answers: &answers{store: store, caches: caches, logger: logger}}
}

// Mount adds the handlers of the operations to r.
func (s *Server) Mount(r chi.Router) {
	strict := NewStrictHandlerWithOptions(s, nil, StrictHTTPServerOptions{
		RequestErrorHandlerFunc: problem.Write, ResponseErrorHandlerFunc: problem.Write,
	})
	r.Post("/products/bulk", s.BulkUpsertProducts)
	HandlerWithOptions(strict, ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: problem.Write})
}

// project returns the project that the caller of ctx acts in. Without credentials, it is the default project.
func project(ctx context.Context) int16 {
	if caller, err := authn.Require(ctx); err == nil {
		return caller.Project.ID
	}
	return authn.DefaultProject
}

// ListProducts implements StrictServerInterface.
func (s *Server) ListProducts(ctx context.Context, request ListProductsRequestObject) (ListProductsResponseObject, error) {
	page, err := pageOf(project(ctx), request.Params)
	if err != nil {
		return nil, err
	}
	found, err := s.answers.page(ctx, page)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// CreateProduct implements StrictServerInterface.
func (s *Server) CreateProduct(ctx context.Context, request CreateProductRequestObject) (CreateProductResponseObject, error) {
	content, err := contentOf(*request.Body).Validate()
	if err != nil {
		return nil, err
	}
	p, err := s.store.Create(ctx, project(ctx), content)
	if err != nil {
		return nil, err
	}
	s.answers.changed(ctx, project(ctx))
	return CreateProduct201JSONResponse{
		Body:    answer(p),
		Headers: CreateProduct201ResponseHeaders{ETag: etag(p.Version), Location: "/products/" + p.ID.String()},
	}, nil
}

// GetProduct implements StrictServerInterface.
func (s *Server) GetProduct(ctx context.Context, request GetProductRequestObject) (GetProductResponseObject, error) {
	found, err := s.answers.product(ctx, project(ctx), request.ID)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// UpdateProduct implements StrictServerInterface.
func (s *Server) UpdateProduct(ctx context.Context, request UpdateProductRequestObject) (UpdateProductResponseObject, error) {
	patch := patchOf(*request.Body)
	p, err := s.store.Update(ctx, project(ctx), request.ID, onlyIf(request.Params.IfMatch, patch.Apply))
	if err != nil {
		return nil, err
	}
	s.answers.changed(ctx, project(ctx), p)
	return UpdateProduct200JSONResponse{Body: answer(p), Headers: UpdateProduct200ResponseHeaders{ETag: etag(p.Version)}}, nil
}

// ArchiveProduct implements StrictServerInterface.
func (s *Server) ArchiveProduct(ctx context.Context, request ArchiveProductRequestObject) (ArchiveProductResponseObject, error) {
	archive := func(p product.Product) (product.Product, error) {
		p.Status = product.Archived
		return p, nil
	}
	p, err := s.store.Update(ctx, project(ctx), request.ID, onlyIf(request.Params.IfMatch, archive))
	if err != nil {
		return nil, err
	}
	s.answers.changed(ctx, project(ctx), p)
	return ArchiveProduct204Response{}, nil
}
