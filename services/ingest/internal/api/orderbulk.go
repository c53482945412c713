package api

import (
	"errors"
	"net/http"
	"slices"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// CreatePurchasesBulk answers POST /purchases/bulk.
func (s *Server) CreatePurchasesBulk(w http.ResponseWriter, r *http.Request, params CreatePurchasesBulkParams) {
	if err := s.createBulk(w, r, params.Wait, s.storeOrders(decode.Purchases())); err != nil {
		problem.Write(w, r, err)
	}
}

// CreateOrdersBulk answers POST /orders/bulk.
func (s *Server) CreateOrdersBulk(w http.ResponseWriter, r *http.Request, params CreateOrdersBulkParams) {
	if err := s.createBulk(w, r, params.Wait, s.storeOrders(decode.Orders())); err != nil {
		problem.Write(w, r, err)
	}
}

// storeBulk stores the items of the body and returns the batches of all that are stored. The memory of the body is released when it
// returns.
type storeBulk func(w http.ResponseWriter, r *http.Request, caller authn.Principal) (OrderBulkResult, []int64, error)

func (s *Server) createBulk(w http.ResponseWriter, r *http.Request, wait *Wait, store storeBulk) error {
	caller, err := authn.Require(r.Context())
	if err == nil {
		err = checkWait(wait)
	}
	if err != nil {
		return err
	}
	result, batches, err := store(w, r, caller)
	if err != nil {
		return err
	}
	status := http.StatusAccepted
	switch {
	case result.Accepted+result.Duplicates == 0: // a client that looks at the status only would not see that nothing was accepted
		status = http.StatusUnprocessableEntity
	case wait != nil && s.awaitFolded(r.Context(), batches...):
		status = http.StatusOK
	}
	return respond(w, status, result)
}

// storeOrders stores orders or purchases.
func (s *Server) storeOrders(kind decode.OrderKind) storeBulk {
	return func(w http.ResponseWriter, r *http.Request, caller authn.Principal) (_ OrderBulkResult, _ []int64, err error) {
		quota := s.bill(r.Context(), w, caller)
		defer quota.settle(&err)
		drafts, release, err := s.readOrders(w, r, kind, terms(r, caller, event.MaxBatchBytes, errBodyTooLarge, quota))
		if err != nil {
			return OrderBulkResult{}, nil, s.unread(caller, err)
		}
		defer release()
		if err := quota.lines(drafts); err != nil {
			return OrderBulkResult{}, nil, err
		}
		sender := callerOf(caller)
		outcomes, err := s.orders.Orders(r.Context(), sender, drafts, nil)
		if err != nil {
			return OrderBulkResult{}, nil, err
		}
		for i := range outcomes {
			s.orderDone(sender, &drafts[i], outcomes[i].Replayed, outcomes[i].Err)
			if err := outcomes[i].Err; err != nil && errs.Is(err, errs.Internal) {
				s.logger.ErrorContext(r.Context(), "store an order of a bulk request", "index", i, "err", err)
			}
		}
		result, batches := orderBulkResult(outcomes, drafts)
		return result, batches, nil
	}
}

// readOrders decodes the orders of a bulk request. release returns the memory of the body to the budget.
func (s *Server) readOrders(w http.ResponseWriter, r *http.Request, kind decode.OrderKind, terms body.Terms) (drafts []order.Draft, release func(), err error) {
	media, err := body.FormatOf(r)
	if err != nil {
		return nil, nil, err
	}
	content, err := s.bodies.Open(w, r, terms)
	if err != nil {
		return nil, nil, err
	}
	data, err := content.ReadAll()
	switch {
	case err != nil:
	case media == body.NDJSON:
		drafts, err = kind.Lines(data)
	default:
		drafts, err = kind.Document(data)
	}
	if err != nil {
		content.Close()
		return nil, nil, err
	}
	return drafts, content.Close, nil
}

func orderBulkResult(outcomes []order.Outcome, drafts []order.Draft) (OrderBulkResult, []int64) {
	result := OrderBulkResult{BatchIDs: []BatchID{}, Errors: []ItemError{}}
	var batches []int64
	for i := range outcomes {
		o := &outcomes[i]
		switch {
		case o.Err != nil:
			result.Rejected++
			result.Errors = append(result.Errors, itemErrorsOf(i, o.Err)...)
			continue
		case o.Replayed:
			result.Duplicates++
		default:
			result.Accepted++
			result.Warnings = append(result.Warnings, itemWarnings(i, drafts[i].Clamped, drafts[i].Replaced)...)
		}
		if !slices.Contains(batches, o.Order.Batch) {
			batches = append(batches, o.Order.Batch)
		}
	}
	for _, batch := range batches {
		result.BatchIDs = append(result.BatchIDs, batchID(batch))
	}
	return result, batches
}

// itemErrorsOf returns why an item was not stored: its problems, or the reason that concerns it as a whole.
func itemErrorsOf(index int, err error) []ItemError {
	public, ok := errors.AsType[*errs.Error](err)
	switch {
	case !ok:
		return []ItemError{{Index: index, Code: errs.CodeOf(err), Detail: "The item could not be stored. Send it again."}}
	case len(public.Fields) > 0:
		return itemErrors(index, public.Fields)
	case errs.Is(err, errs.Conflict): // an id that was used with other content
		return []ItemError{{Index: index, Pointer: "/id", Code: public.Code, Detail: public.Detail}}
	default:
		return []ItemError{{Index: index, Code: public.Code, Detail: public.Detail}}
	}
}
