package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
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
	for _, store := range []func(context.Context, event.Caller, *segment.Batch) (int, error){s.segmentEvents, s.segmentOrders, s.segmentRefunds} {
		n, err := store(r.Context(), sender, &batch)
		if err != nil {
			return 0, 0, err
		}
		stored += n
	}
	return stored, len(batch.Events) + len(batch.Orders) + len(batch.Refunds) - stored, nil
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

// segmentOrders returns how many of the orders are stored.
func (s *Server) segmentOrders(ctx context.Context, sender event.Caller, batch *segment.Batch) (stored int, err error) {
	if len(batch.Orders) == 0 {
		return 0, nil
	}
	outcomes, err := s.orders.Orders(ctx, sender, batch.Orders, nil)
	if err != nil {
		return 0, err
	}
	for i := range outcomes {
		s.outcomes.order(outcomes[i].Replayed, outcomes[i].Err)
		if again(outcomes[i].Err) {
			return 0, outcomes[i].Err
		}
		if outcomes[i].Err == nil {
			stored++
		}
	}
	return stored, nil
}

// segmentRefunds returns how many of the refunds are stored.
func (s *Server) segmentRefunds(ctx context.Context, sender event.Caller, batch *segment.Batch) (stored int, err error) {
	for i := range batch.Refunds {
		refund := &batch.Refunds[i]
		id, err := identifier.ID(sender.Project.ID, "", refund.Order)
		if err != nil {
			err = event.Refusal(nil)
			s.outcomes.refund(false, err)
			continue
		}
		outcome, err := s.orders.Refund(ctx, sender, id, &refund.Draft)
		s.outcomes.refund(outcome.Replayed, err)
		if again(err) {
			return 0, err
		}
		if err == nil {
			stored++
		}
	}
	return stored, nil
}

// again reports whether the same may be stored later.
func again(err error) bool {
	return err != nil && !errs.Is(err, errs.Invalid) && !errs.Is(err, errs.Conflict) && !errs.Is(err, errs.NotFound)
}
