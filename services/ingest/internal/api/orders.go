package api

import (
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

var errOrderTooLarge = errs.New(errs.TooLarge, "body_too_large", fmt.Sprintf("An order or a refund has at most %d bytes.", order.MaxBytes))

// CreateOrder answers POST /orders.
func (s *Server) CreateOrder(w http.ResponseWriter, r *http.Request, params CreateOrderParams) {
	if err := s.createOrder(w, r, params.Wait); err != nil {
		problem.Write(w, r, err)
	}
}

func (s *Server) createOrder(w http.ResponseWriter, r *http.Request, wait *Wait) error {
	caller, err := authn.Require(r.Context())
	if err == nil {
		err = checkWait(wait)
	}
	if err != nil {
		return err
	}
	quota := s.bill(r.Context(), w, caller)
	draft, stored, err := s.storeOrder(w, r, caller, nil, decode.Order, quota, terms(r, caller, order.MaxBytes, errOrderTooLarge, quota))
	if err != nil {
		return err
	}
	var refunds []order.Refund
	if stored.Replayed { // it may have been refunded since
		if stored.Order, refunds, err = s.store.Order(r.Context(), stored.Order.Key); err != nil {
			return err
		}
	}
	status := s.createdStatus(r.Context(), w, wait, stored.Replayed, stored.Order.Batch)
	answer := orderAnswer(&stored.Order, refunds)
	if !stored.Replayed {
		answer.Warnings = itemWarnings(0, draft.Clamped, draft.Replaced)
	}
	return respond(w, status, answer)
}

// storeOrder stores the order or purchase of the body. The memory of the body is released when it returns.
func (s *Server) storeOrder(
	w http.ResponseWriter, r *http.Request, caller authn.Principal, key *order.IdempotencyKey,
	read func([]byte) (order.Draft, error), quota *bill, terms body.Terms,
) (draft order.Draft, stored order.Outcome, err error) {
	defer quota.settle(&err)
	data, release, err := s.readDocument(w, r, terms)
	if err != nil {
		return order.Draft{}, order.Outcome{}, s.unread(caller, err)
	}
	defer release()
	drafts := make([]order.Draft, 1)
	if drafts[0], err = read(data); err != nil {
		return order.Draft{}, order.Outcome{}, s.unread(caller, err)
	}
	if err := quota.lines(drafts); err != nil {
		return order.Draft{}, order.Outcome{}, err
	}
	sender := callerOf(caller)
	outcomes, err := s.orders.Orders(r.Context(), sender, drafts, key)
	if err == nil {
		stored, err = outcomes[0], outcomes[0].Err
	}
	s.orderDone(sender, &drafts[0], stored.Replayed, err)
	stored.Order.Properties = append([]byte(nil), stored.Order.Properties...) // a copy: they may belong to the body
	return drafts[0], stored, err
}

// GetOrder answers GET /orders/{id}.
func (s *Server) GetOrder(w http.ResponseWriter, r *http.Request, id OrderID) {
	if err := s.getOrder(w, r, id); err != nil {
		problem.Write(w, r, err)
	}
}

func (s *Server) getOrder(w http.ResponseWriter, r *http.Request, id string) error {
	caller, err := authn.Require(r.Context())
	if err != nil {
		return err
	}
	for _, key := range orderKeys(caller, id) {
		found, refunds, err := s.store.Order(r.Context(), key)
		switch {
		case errs.Is(err, errs.NotFound):
		case err != nil:
			return err
		case mayRead(caller, &found):
			return respond(w, http.StatusOK, orderAnswer(&found, refunds))
		}
	}
	return order.ErrUnknown
}

// orderKeys returns what a caller can mean by an id: its own id of an order or the UUID in an answer, which differ for a guest.
func orderKeys(caller authn.Principal, id string) (keys []order.Key) {
	owners := []string{""}
	if caller.Guest {
		owners = []string{caller.Subject, ""}
	}
	for _, own := range owners {
		if mapped, err := identifier.ID(caller.Project.ID, own, id); err == nil {
			keys = append(keys, order.Key{Project: caller.Project.ID, ID: mapped})
		}
	}
	return keys
}

// mayRead reports whether a caller may see an order: keys, and owners and analysts of the project, all; anybody else own ones.
func mayRead(caller authn.Principal, o *order.Order) bool {
	if !caller.IsUser() || caller.Role == authn.Owner || caller.Role == authn.Analyst {
		return true
	}
	return o.UserID == caller.Subject
}

func orderAnswer(o *order.Order, refunds []order.Refund) Order {
	answer := Order{
		ID: o.ID, Number: optional(o.Number), BatchID: batchID(o.Batch),
		UserID: optional(o.UserID), AnonymousID: optional(o.AnonymousID),
		Currency: o.Currency, AmountMinor: o.AmountMinor(), RefundedMinor: o.RefundedMinor(),
		TS: o.TS.UTC(), ReceivedAt: o.ReceivedAt.UTC(), Properties: o.Properties,
		Lines: make([]OrderLine, len(o.Lines)), Refunds: make([]Refund, len(refunds)),
	}
	if len(o.Properties) == 0 {
		answer.Properties = []byte("{}")
	}
	for i := range o.Lines {
		l := &o.Lines[i]
		answer.Lines[i] = OrderLine{
			Line: i + 1, ProductID: l.ProductID, SKU: l.SKU, Quantity: l.Quantity, AmountMinor: l.AmountMinor,
			RefundedQuantity: l.RefundedUnits, RefundedMinor: l.RefundedMinor, LeftQuantity: l.LeftUnits(), LeftMinor: l.LeftMinor(),
		}
	}
	for i := range refunds {
		answer.Refunds[i] = refundAnswer(&refunds[i])
	}
	return answer
}

// orderID returns the order that the path of a refund names.
func orderID(caller authn.Principal, id string) (uuid.UUID, error) {
	mapped, err := identifier.ID(caller.Project.ID, "", id)
	if err != nil || mapped == uuid.Nil { // no order has the nil UUID, which stands for none
		return uuid.Nil, order.ErrUnknown
	}
	return mapped, nil
}
