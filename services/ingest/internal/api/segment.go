package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/rejections"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/segment"
)

var errNoCall = errs.New(errs.NotFound, "no_such_path", "Segment's API has no such call.")

// SendSegment answers POST /segment/v1/{kind}.
func (s *Server) SendSegment(w http.ResponseWriter, r *http.Request, call SendSegmentParamsKind) {
	if err := s.sendSegment(w, r, string(call), ""); err != nil {
		problem.Write(w, r, err)
	}
}

// SendSegmentBeacon answers POST /segment/beacon/v1/batch.
func (s *Server) SendSegmentBeacon(w http.ResponseWriter, r *http.Request, params SendSegmentBeaconParams) {
	key := ""
	if params.WriteKey != nil {
		key = *params.WriteKey
	}
	if err := s.sendSegment(w, r, "batch", key); err != nil {
		problem.Write(w, r, err)
	}
}

// sendSegment answers with success if everything is decided: Segment's libraries send a whole request again after an error, and what
// was stored of it is recognized then.
func (s *Server) sendSegment(w http.ResponseWriter, r *http.Request, call, key string) error {
	switch {
	case call == segment.Metrics: // how libraries work is not kept
		return respond(w, http.StatusOK, SegmentResult{Success: true})
	case !segment.IsCall(call):
		return errNoCall
	}
	if err := s.storeSegment(w, r, call, key); err != nil {
		return err
	}
	return respond(w, http.StatusOK, SegmentResult{Success: true})
}

var segmentFormat = format[segment.Batch]{
	bytes: segment.MaxBody, tooLarge: segment.ErrTooLarge, key: segment.Key,
}

// storeSegment stores what the body holds.
func (s *Server) storeSegment(w http.ResponseWriter, r *http.Request, call, key string) error {
	f := segmentFormat
	f.parse = func(body []byte, caller authn.Principal) (segment.Batch, int, error) {
		batch, err := segment.Parse(call, body, caller.Project.Currency)
		return batch, batch.Len(), err
	}
	return receive(s, w, r, key, f, func(k *keyed, batch segment.Batch) error {
		if k.caller.Public != nil {
			return k.segmentOfPage(r, &batch)
		}
		return k.segmentOfServer(&batch)
	})
}

// segmentOfServer stores events, orders, and the refunds of them.
func (k *keyed) segmentOfServer(batch *segment.Batch) error {
	sender := callerOf(k.caller)
	if err := k.segmentIdentities(k.ctx, sender, batch); err != nil {
		return err
	}
	// One that fails does not keep the others from being stored, and makes the library send all again.
	stored, err := k.store(batch.Events)
	for _, store := range []func(context.Context, event.Caller, *segment.Batch) (int, error){k.segmentOrders, k.segmentRefunds} {
		n, failed := store(k.ctx, sender, batch)
		err, stored = cmp.Or(err, failed), stored+n
	}
	k.tell(stored, len(batch.Events)+len(batch.Orders)+len(batch.Refunds))
	return err
}

// segmentIdentities joins the visitors that orders identify to their users, so that the events of the batch are theirs, too.
func (s *Server) segmentIdentities(ctx context.Context, sender event.Caller, batch *segment.Batch) error {
	if len(batch.Events) == 0 {
		return nil
	}
	orders := make([]event.FactDraft, len(batch.Orders))
	for i := range batch.Orders {
		orders[i] = batch.Orders[i].FactDraft
	}
	return s.recorder.Identify(ctx, sender, orders)
}

// segmentOfPage stores what a page sends with a public key: events only, because visitors could invent orders and refund those of others.
// The answer does not say what became of them.
func (k *keyed) segmentOfPage(r *http.Request, batch *segment.Batch) error {
	if k.dropped(r, batch.Len()) {
		return nil
	}
	sender := callerOf(k.caller)
	for i := range batch.Orders {
		k.orderDone(sender, &batch.Orders[i], false, errOrderOfPage)
	}
	for i := range batch.Refunds {
		k.refundDone(sender, false, errOrderOfPage, func() json.RawMessage { return rejections.RefundItem(&batch.Refunds[i].Draft) })
	}
	_, err := k.store(batch.Events)
	return err
}

var errOrderOfPage = errs.New(errs.Invalid, "order_of_page", "Orders and refunds are sent by servers, with a secret key.")

// segmentOrders returns how many of the orders are stored, and the first error for which they may be sent again.
func (s *Server) segmentOrders(ctx context.Context, sender event.Caller, batch *segment.Batch) (stored int, failed error) {
	if len(batch.Orders) == 0 {
		return 0, nil
	}
	outcomes, err := s.orders.Orders(ctx, sender, batch.Orders, nil)
	if err != nil {
		return 0, err
	}
	for i := range outcomes {
		err := outcomes[i].Err
		s.orderDone(sender, &batch.Orders[i], outcomes[i].Replayed, err)
		switch {
		case err == nil:
			stored++
		case again(err):
			failed = cmp.Or(failed, fmt.Errorf("store order %d of a request: %w", i, err))
		}
	}
	return stored, failed
}

// refundsAtOnce is how many refunds of a request are stored at the same time. The committer writes those that wait together.
const refundsAtOnce = 32

// segmentRefunds does the same for refunds.
func (s *Server) segmentRefunds(ctx context.Context, sender event.Caller, batch *segment.Batch) (int, error) {
	var stored atomic.Int64
	var group errgroup.Group
	group.SetLimit(refundsAtOnce)
	for i := range batch.Refunds {
		group.Go(func() error {
			replayed, err := s.segmentRefund(ctx, sender, &batch.Refunds[i])
			s.refundDone(sender, replayed, err, func() json.RawMessage { return rejections.RefundItem(&batch.Refunds[i].Draft) })
			switch {
			case err == nil:
				stored.Add(1)
			case again(err):
				return fmt.Errorf("store refund %d of a request: %w", i, err)
			}
			return nil
		})
	}
	err := group.Wait()
	return int(stored.Load()), err
}

func (s *Server) segmentRefund(ctx context.Context, sender event.Caller, refund *segment.Refund) (replayed bool, _ error) {
	id, err := identifier.ID(sender.Project.ID, "", refund.Order)
	if err != nil {
		return false, event.Refusal(nil)
	}
	if refund.Currency != "" {
		of, _, err := s.store.Order(ctx, order.Key{Project: sender.Project.ID, ID: id})
		switch {
		case err != nil:
			return false, err
		case of.Currency != refund.Currency:
			refund.Draft.Refuse("/properties/currency", event.CodeInvalidValue, "The order is in "+of.Currency+".")
		}
	}
	outcome, err := s.orders.Refund(ctx, sender, id, &refund.Draft)
	return outcome.Replayed, err
}

// again reports whether the same may be stored later.
func again(err error) bool {
	return err != nil && !errs.Is(err, errs.Invalid) && !errs.Is(err, errs.Conflict) && !errs.Is(err, errs.NotFound)
}
