package api

import (
	"net/http"
	"strconv"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
)

// GetBatchReceipt answers GET /events/batches/{id}. It needs no more than credentials of the project: a receipt holds only a count
// and two times.
func (s *Server) GetBatchReceipt(w http.ResponseWriter, r *http.Request, id string) {
	if err := s.getBatchReceipt(w, r, id); err != nil {
		problem.Write(w, r, err)
	}
}

func (s *Server) getBatchReceipt(w http.ResponseWriter, r *http.Request, id string) error {
	caller, err := authn.Require(r.Context())
	if err != nil {
		return err
	}
	batch, _ := strconv.ParseInt(id, 10, 64) // 0, which no batch has, for what is no number
	found, err := s.store.Receipt(r.Context(), caller.Project.ID, batch)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, receipt(found))
}
