package api

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// GetBatchReceipt answers GET /events/batches/{id}. It needs no more than credentials: a receipt holds only a count and two
// times, and its id, which only the answer to the write reveals, cannot be guessed.
func (s *Server) GetBatchReceipt(w http.ResponseWriter, r *http.Request, id uuid.UUID) {
	if err := s.getBatchReceipt(w, r, id); err != nil {
		problem.Write(w, r, err)
	}
}

func (s *Server) getBatchReceipt(w http.ResponseWriter, r *http.Request, id uuid.UUID) error {
	found, err := s.store.Receipt(r.Context(), id)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, receipt(found))
}
