package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/body"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/rejections"
)

var (
	errEventTooLarge = errs.New(errs.TooLarge, event.CodeTooLarge, fmt.Sprintf("An event has at most %d bytes.", event.MaxBytes))
	errBodyTooLarge  = errs.New(errs.TooLarge, "body_too_large", fmt.Sprintf("The body has at most %d bytes, decoded.", event.MaxBatchBytes))
)

// CreateEvent answers POST /events.
func (s *Server) CreateEvent(w http.ResponseWriter, r *http.Request, params CreateEventParams) {
	if err := s.createEvent(w, r, params.Wait); err != nil {
		problem.Write(w, r, err)
	}
}

func (s *Server) createEvent(w http.ResponseWriter, r *http.Request, wait *Wait) error {
	caller, err := authn.Require(r.Context())
	if err == nil {
		err = checkWait(wait)
	}
	if err != nil {
		return err
	}
	stored, err := s.storeEvent(w, r, caller)
	if err != nil {
		return err
	}
	status := http.StatusAccepted
	if wait != nil && s.eventsFolded(r.Context(), stored.batch, stored.verdict) {
		status = http.StatusOK
	}
	return respond(w, status, eventAccepted(stored.batch, stored.verdict, stored.draft))
}

// storedEvent is an event with what became of it.
type storedEvent struct {
	batch   int64
	verdict event.Verdict
	draft   event.Draft
}

// storeEvent stores the event of the body. The memory of the body is released when it returns.
func (s *Server) storeEvent(w http.ResponseWriter, r *http.Request, caller authn.Principal) (_ storedEvent, err error) {
	quota := s.bill(r.Context(), w, caller)
	defer quota.settle(&err)
	data, release, err := s.readDocument(w, r, terms(r, caller, event.MaxBytes, errEventTooLarge, quota))
	if err != nil {
		return storedEvent{}, s.unread(caller, err)
	}
	defer release()
	draft, err := decode.Event(data)
	if err != nil {
		return storedEvent{}, s.unread(caller, err)
	}
	sender := callerOf(caller)
	batch, verdict, err := s.recorder.Event(r.Context(), sender, &draft)
	if err != nil {
		s.outcomes.refused(err)
		s.refused(sender, rejections.Event, err, func() json.RawMessage { return rejections.EventItem(&draft) })
		return storedEvent{}, err
	}
	s.outcomes.count(verdict.Status)
	s.rejections.Valid(senderOf(sender))
	draft.Properties = nil // belongs to the body
	return storedEvent{batch, verdict, draft}, nil
}

// CreateEventsBulk answers POST /events/bulk.
func (s *Server) CreateEventsBulk(w http.ResponseWriter, r *http.Request, params CreateEventsBulkParams) {
	if err := s.createEventsBulk(w, r, params); err != nil {
		problem.Write(w, r, err)
	}
}

func (s *Server) createEventsBulk(w http.ResponseWriter, r *http.Request, params CreateEventsBulkParams) error {
	caller, err := authn.Require(r.Context())
	if err == nil {
		err = checkWait(params.Wait)
	}
	var history *event.Import
	if err == nil {
		history, err = s.history(r, caller, params.Import)
	}
	if err != nil {
		return err
	}
	result, batch, verdicts, err := s.storeEvents(w, r, caller, history)
	if err != nil {
		return err
	}
	status := http.StatusAccepted
	switch {
	case result.Rejected == len(verdicts):
		status = http.StatusUnprocessableEntity
	case params.Wait != nil && s.eventsFolded(r.Context(), batch, verdicts...):
		status = http.StatusOK
	}
	// A client that looks at the status only would not see that nothing was accepted.
	w.Header().Set("Events-Accepted", strconv.Itoa(result.Accepted))
	w.Header().Set("Events-Rejected", strconv.Itoa(result.Rejected))
	return respond(w, status, result)
}

// storeEvents stores the events of the body. The memory of the body is released when it returns.
func (s *Server) storeEvents(
	w http.ResponseWriter, r *http.Request, caller authn.Principal, history *event.Import,
) (_ EventBulkResult, batch int64, _ []event.Verdict, err error) {
	quota := s.bill(r.Context(), w, caller)
	defer quota.settle(&err)
	drafts, release, err := s.readEvents(w, r, terms(r, caller, event.MaxBatchBytes, errBodyTooLarge, quota))
	if err != nil {
		return EventBulkResult{}, 0, nil, s.unread(caller, err)
	}
	defer release()
	if err := quota.events(len(drafts)); err != nil {
		return EventBulkResult{}, 0, nil, err
	}
	sender := callerOf(caller)
	sender.Import = history
	batch, verdicts, err := s.recorder.Events(r.Context(), sender, drafts)
	if err != nil {
		return EventBulkResult{}, 0, nil, err
	}
	s.eventsDone(sender, drafts, verdicts)
	return bulkResult(batch, verdicts, drafts), batch, verdicts, nil
}

// readEvents decodes the events of a bulk request. release returns their memory to the budget.
func (s *Server) readEvents(w http.ResponseWriter, r *http.Request, terms body.Terms) (drafts []event.Draft, release func(), err error) {
	format, err := body.FormatOf(r)
	if err != nil {
		return nil, nil, err
	}
	if format == body.JSON {
		data, release, err := s.readDocument(w, r, terms)
		if err != nil {
			return nil, nil, err
		}
		if drafts, err = decode.Bulk(data); err != nil {
			release()
			return nil, nil, err
		}
		return drafts, release, nil
	}
	terms.Streamed = true
	lines, err := s.bodies.Open(w, r, terms)
	if err != nil {
		return nil, nil, err
	}
	if drafts, err = s.lines.Events(lines); err != nil {
		lines.Close()
		return nil, nil, err
	}
	return drafts, lines.Close, nil
}
