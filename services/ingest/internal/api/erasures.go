package api

import (
	"net/http"
	"strconv"

	"github.com/google/uuid"
	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/erasure"
)

// EraseUser answers DELETE /users/{id}.
func (s *Server) EraseUser(w http.ResponseWriter, r *http.Request, id string, params EraseUserParams) {
	if err := s.eraseUser(w, r, id, params); err != nil {
		problem.Write(w, r, err)
	}
}

func (s *Server) eraseUser(w http.ResponseWriter, r *http.Request, id string, params EraseUserParams) error {
	caller, err := authn.Require(r.Context())
	if err != nil {
		return err
	}
	request := erasure.Request{Project: caller.Project.ID, Subject: normal(id), By: caller.ID()}
	if params.Kind != nil {
		request.Anonymous = new(*params.Kind == EraseUserParamsKindAnonymousID)
	}
	receipt, err := s.store.RequestErasure(r.Context(), request)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/erasures/"+receipt.ID.String())
	return respond(w, http.StatusAccepted, erasureAnswer(receipt))
}

// GetErasure answers GET /erasures/{id}.
func (s *Server) GetErasure(w http.ResponseWriter, r *http.Request, id openapi_types.UUID) {
	if err := s.getErasure(w, r, id); err != nil {
		problem.Write(w, r, err)
	}
}

func (s *Server) getErasure(w http.ResponseWriter, r *http.Request, id uuid.UUID) error {
	caller, err := authn.Require(r.Context())
	if err != nil {
		return err
	}
	receipt, err := s.store.Erasure(r.Context(), caller.Project.ID, id)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, erasureAnswer(receipt))
}

// ListErasures answers GET /erasures.
func (s *Server) ListErasures(w http.ResponseWriter, r *http.Request, params ListErasuresParams) {
	if err := s.listErasures(w, r, params); err != nil {
		problem.Write(w, r, err)
	}
}

func (s *Server) listErasures(w http.ResponseWriter, r *http.Request, params ListErasuresParams) error {
	caller, err := authn.Require(r.Context())
	if err != nil {
		return err
	}
	limit := valueOr(params.Limit, defaultPage)
	receipts, err := s.store.Erasures(r.Context(), caller.Project.ID, params.Cursor, limit+1)
	if err != nil {
		return err
	}
	answer := ErasurePage{Items: []Erasure{}}
	for i := range receipts {
		if i == limit {
			answer.NextCursor = &receipts[i-1].ID
			break
		}
		answer.Items = append(answer.Items, erasureAnswer(receipts[i]))
	}
	return respond(w, http.StatusOK, answer)
}

func erasureAnswer(r erasure.Receipt) Erasure {
	answer := Erasure{
		ID: r.ID, State: ErasureState(r.State), Phase: ErasurePhase(r.Phase), HeldBy: make([]string, len(r.HeldBy)), Failing: r.Failing,
		RequestedBy: r.RequestedBy, RequestedAt: r.RequestedAt.UTC(), Removed: r.Removed, Kept: []ErasureKept{},
		StartedAt: r.StartedAt, FinishedAt: r.FinishedAt,
	}
	for i, batch := range r.HeldBy {
		answer.HeldBy[i] = strconv.FormatInt(batch, 10)
	}
	if r.Reached != nil {
		answer.Reached = &openapi_types.Date{Time: *r.Reached}
	}
	for _, k := range r.Kept() {
		answer.Kept = append(answer.Kept, ErasureKept{What: k.What, Count: k.Count, Why: k.Why})
	}
	return answer
}
