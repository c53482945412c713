package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/segment"
)

var errNoCall = errs.New(errs.NotFound, "no_such_path", "Segment's API has no such call.")

// SendSegment answers POST /segment/v1/{kind}.
func (s *Server) SendSegment(w http.ResponseWriter, r *http.Request, call SendSegmentParamsKind) {
	if err := s.sendSegment(w, r, string(call)); err != nil {
		problem.Write(w, r, err)
	}
}

// sendSegment answers with success if everything is decided: Segment's libraries send a whole request again after an error, and what
// was stored of it is recognized then.
func (s *Server) sendSegment(w http.ResponseWriter, r *http.Request, call string) error {
	caller, err := authn.Require(r.Context())
	if err != nil {
		return err
	}
	if !slices.Contains(segment.Calls, call) {
		return errNoCall
	}
	stored, refused, err := s.storeSegment(w, r, caller, call)
	if err != nil {
		return err
	}
	w.Header().Set("Events-Accepted", strconv.Itoa(stored))
	w.Header().Set("Events-Rejected", strconv.Itoa(refused))
	return respond(w, http.StatusOK, SegmentResult{Success: true})
}

// storeSegment stores what the body holds, orders before the refunds of them. The memory of the body is released when it returns.
func (s *Server) storeSegment(w http.ResponseWriter, r *http.Request, caller authn.Principal, call string) (stored, refused int, err error) {
	quota := s.bill(r.Context(), w, caller)
	defer quota.settle(&err)
	content, err := s.bodies.Open(w, r, terms(r, caller, segment.MaxBody, segment.ErrTooLarge, quota))
	if err != nil {
		return 0, 0, err
	}
	defer content.Close()
	data, err := content.ReadAll()
	if err != nil {
		return 0, 0, err
	}
	batch, err := segment.Read(call, data, caller.Project.Currency)
	if err == nil {
		err = quota.events(min(batch.Len(), MaxUnits))
	}
	if err != nil {
		return 0, 0, err
	}
	sender := callerOf(caller)
	if err := s.segmentIdentities(r.Context(), sender, &batch); err != nil {
		return 0, 0, err
	}
	// One that fails does not keep the others from being stored, and makes the library send all again.
	for _, store := range []func(context.Context, event.Caller, *segment.Batch) (int, error){s.segmentEvents, s.segmentOrders, s.segmentRefunds} {
		n, failed := store(r.Context(), sender, &batch)
		err, stored = cmp.Or(err, failed), stored+n
	}
	return stored, len(batch.Events) + len(batch.Orders) + len(batch.Refunds) - stored, err
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

// segmentEvents returns how many of the events are stored.
func (s *Server) segmentEvents(ctx context.Context, sender event.Caller, batch *segment.Batch) (stored int, err error) {
	if len(batch.Events) == 0 {
		return 0, nil
	}
	_, verdicts, err := s.recorder.Events(ctx, sender, batch.Events)
	if err != nil {
		return 0, err
	}
	for i, verdict := range verdicts {
		if problems := batch.Events[i].Problems; len(problems) > 0 {
			s.outcomes.reject(problems[0].Code)
			continue
		}
		s.outcomes.count(verdict.Status)
		stored++
	}
	return stored, nil
}

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
		s.outcomes.order(outcomes[i].Replayed, err)
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
			s.outcomes.refund(replayed, err)
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
