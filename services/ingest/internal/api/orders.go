package api

import (
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// storeOrder stores the order or purchase of the body. The memory of the body is released when it returns.
func (s *Server) storeOrder(
	w http.ResponseWriter, r *http.Request, caller authn.Principal, key *order.IdempotencyKey,
	read func([]byte) (order.Draft, error), terms body.Terms,
) (draft order.Draft, stored order.Outcome, err error) {
	data, release, err := s.readDocument(w, r, terms)
	if err != nil {
		return order.Draft{}, order.Outcome{}, err
	}
	defer release()
	drafts := make([]order.Draft, 1)
	if drafts[0], err = read(data); err != nil {
		return order.Draft{}, order.Outcome{}, err
	}
	outcomes, err := s.orders.Orders(r.Context(), callerOf(caller), drafts, key)
	if err == nil {
		stored, err = outcomes[0], outcomes[0].Err
	}
	s.outcomes.order(stored.Replayed, err)
	return drafts[0], stored, err
}
