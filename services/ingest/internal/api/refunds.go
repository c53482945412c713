package api

import (
	"encoding/json"
	"net/http"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/rejections"
)

// CreateRefund answers POST /orders/{id}/refunds.
func (s *Server) CreateRefund(w http.ResponseWriter, r *http.Request, id OrderID, params CreateRefundParams) {
	if err := s.createRefund(w, r, id, params.Wait); err != nil {
		problem.Write(w, r, err)
	}
}

func (s *Server) createRefund(w http.ResponseWriter, r *http.Request, id string, wait *Wait) error {
	caller, err := authn.Require(r.Context())
	if err == nil {
		err = checkWait(wait)
	}
	if err != nil {
		return err
	}
	draft, stored, err := s.storeRefund(w, r, caller, id)
	if err != nil {
		return err
	}
	answer := refundAnswer(&stored.Refund)
	if !stored.Replayed {
		answer.Warnings = itemWarnings(0, draft.Clamped, false)
	}
	return respond(w, s.createdStatus(r.Context(), w, wait, stored.Replayed, stored.Refund.Batch), answer)
}

// storeRefund stores the refund of the body. The memory of the body is released when it returns.
func (s *Server) storeRefund(w http.ResponseWriter, r *http.Request, caller authn.Principal, id string) (_ order.RefundDraft, _ order.RefundOutcome, err error) {
	of, err := orderID(caller, id)
	if err != nil {
		return order.RefundDraft{}, order.RefundOutcome{}, err
	}
	quota := s.bill(r.Context(), w, caller)
	defer quota.settle(&err)
	data, release, err := s.readDocument(w, r, terms(r, caller, order.MaxBytes, errOrderTooLarge, quota))
	if err != nil {
		return order.RefundDraft{}, order.RefundOutcome{}, s.unread(caller, err)
	}
	defer release()
	draft, err := decode.Refund(data)
	if err != nil {
		return order.RefundDraft{}, order.RefundOutcome{}, s.unread(caller, err)
	}
	sender := callerOf(caller)
	stored, err := s.orders.Refund(r.Context(), sender, of, &draft)
	s.refundDone(sender, stored.Replayed, err, func() json.RawMessage { return rejections.RefundItem(&draft) })
	return draft, stored, err
}

// orderOf returns the order of a refund, or nil for none.
func orderOf(r *order.Refund) *uuid.UUID {
	if r.Order == uuid.Nil {
		return nil
	}
	return &r.Order
}

func refundAnswer(r *order.Refund) Refund {
	answer := Refund{
		ID: r.ID, Number: optional(r.Number), OrderID: orderOf(r), OrderNumber: optional(r.OrderNumber), BatchID: batchID(r.Batch), Currency: r.Currency, AmountMinor: r.TotalMinor(),
		Reason: optional(r.Reason), TS: r.TS.UTC(), ReceivedAt: r.ReceivedAt.UTC(), Lines: make([]RefundLine, len(r.Lines)),
	}
	for i, l := range r.Lines {
		answer.Lines[i] = RefundLine{Line: int(l.Line), ProductID: l.ProductID, SKU: l.SKU, Quantity: l.Units, AmountMinor: l.AmountMinor}
	}
	return answer
}
