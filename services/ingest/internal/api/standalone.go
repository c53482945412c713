package api

import (
	"encoding/json"
	"net/http"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/rejections"
)

// CreateStandaloneRefund answers POST /refunds.
func (s *Server) CreateStandaloneRefund(w http.ResponseWriter, r *http.Request, params CreateStandaloneRefundParams) {
	if err := s.createStandaloneRefund(w, r, params.Wait); err != nil {
		problem.Write(w, r, err)
	}
}

func (s *Server) createStandaloneRefund(w http.ResponseWriter, r *http.Request, wait *Wait) error {
	caller, err := authn.Require(r.Context())
	if err == nil {
		err = checkWait(wait)
	}
	if err != nil {
		return err
	}
	draft, stored, err := s.storeStandaloneRefund(w, r, caller)
	if err != nil {
		return err
	}
	answer := refundAnswer(&stored.Refund)
	if !stored.Replayed {
		answer.Warnings = itemWarnings(0, draft.Clamped, false)
	}
	return respond(w, s.createdStatus(r.Context(), w, wait, stored.Replayed, stored.Refund.Batch), answer)
}

// storeStandaloneRefund stores the refund of the body. The memory of the body is released when it returns.
func (s *Server) storeStandaloneRefund(w http.ResponseWriter, r *http.Request, caller authn.Principal) (_ order.Draft, _ order.RefundOutcome, err error) {
	quota := s.bill(r.Context(), w, caller)
	defer quota.settle(&err)
	data, release, err := s.readDocument(w, r, terms(r, caller, order.MaxBytes, errOrderTooLarge, quota))
	if err != nil {
		return order.Draft{}, order.RefundOutcome{}, s.unread(caller, err)
	}
	defer release()
	drafts := make([]order.Draft, 1)
	if drafts[0], err = decode.StandaloneRefund(data); err != nil {
		return order.Draft{}, order.RefundOutcome{}, s.unread(caller, err)
	}
	if err := quota.lines(drafts); err != nil {
		return order.Draft{}, order.RefundOutcome{}, err
	}
	sender := callerOf(caller)
	outcomes, err := s.orders.Refunds(r.Context(), sender, drafts)
	if err != nil {
		return order.Draft{}, order.RefundOutcome{}, err
	}
	stored := outcomes[0]
	s.refundDone(sender, stored.Replayed, stored.Err, func() json.RawMessage { return rejections.OrderItem(&drafts[0]) })
	return drafts[0], stored, stored.Err
}

// CreateStandaloneRefundsBulk answers POST /refunds/bulk.
func (s *Server) CreateStandaloneRefundsBulk(w http.ResponseWriter, r *http.Request, params CreateStandaloneRefundsBulkParams) {
	if err := s.createBulk(w, r, params.Wait, s.storeStandaloneRefunds); err != nil {
		problem.Write(w, r, err)
	}
}

// storeStandaloneRefunds is a storeBulk of refunds without an order.
func (s *Server) storeStandaloneRefunds(w http.ResponseWriter, r *http.Request, caller authn.Principal) (_ OrderBulkResult, _ []int64, err error) {
	quota := s.bill(r.Context(), w, caller)
	defer quota.settle(&err)
	drafts, release, err := s.readOrders(w, r, decode.Refunds(), terms(r, caller, event.MaxBatchBytes, errBodyTooLarge, quota))
	if err != nil {
		return OrderBulkResult{}, nil, s.unread(caller, err)
	}
	defer release()
	if err := quota.lines(drafts); err != nil {
		return OrderBulkResult{}, nil, err
	}
	sender := callerOf(caller)
	stored, err := s.orders.Refunds(r.Context(), sender, drafts)
	if err != nil {
		return OrderBulkResult{}, nil, err
	}
	outcomes := make([]order.Outcome, len(stored)) // what the answer says of both is the same
	for i, o := range stored {
		s.refundDone(sender, o.Replayed, o.Err, func() json.RawMessage { return rejections.OrderItem(&drafts[i]) })
		outcomes[i] = order.Outcome{Order: order.Order{Batch: o.Refund.Batch}, Replayed: o.Replayed, Err: o.Err}
	}
	result, batches := orderBulkResult(outcomes, drafts)
	return result, batches, nil
}
