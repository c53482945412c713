package api

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// GetBatchReceipt answers GET /events/batches/{id} to anybody with credentials: a receipt holds nothing but a count and
// two times, and its id, which only the answer to the write tells, cannot be guessed.
func (s *Server) GetBatchReceipt(w http.ResponseWriter, r *http.Request, id uuid.UUID) {
	if err := s.getBatchReceipt(w, r, id); err != nil {
		problem.Write(w, r, err)
	}
}

func (s *Server) getBatchReceipt(w http.ResponseWriter, r *http.Request, id uuid.UUID) error {
	if _, err := authn.Require(r.Context()); err != nil {
		return err
	}
	found, err := s.store.Receipt(r.Context(), id)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, receipt(found))
}
