package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/problem"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/rejections"
)

func senderOf(by event.Caller) rejections.Sender {
	return rejections.Sender{Project: by.Project.ID, Key: by.Key}
}

// unread notes that a body was refused as a whole, if that is the sender's fault, and returns the error.
func (s *Server) unread(caller authn.Principal, err error) error {
	s.refused(callerOf(caller), rejections.Request, err, nil)
	return err
}

// refused notes a refusal, if that is the sender's fault. item returns what was sent, redacted.
func (s *Server) refused(by event.Caller, kind rejections.Kind, err error, item func() json.RawMessage) {
	refusal, ok := errors.AsType[*errs.Error](err)
	if !ok {
		return
	}
	switch refusal.Kind {
	case errs.Malformed, errs.Invalid, errs.NotFound, errs.Conflict, errs.TooLarge, errs.UnsupportedMedia:
	default:
		return
	}
	reason := errs.Field{Code: refusal.Code, Detail: refusal.Detail}
	if len(refusal.Fields) > 0 {
		reason = refusal.Fields[0]
	}
	s.rejections.Refused(senderOf(by), kind, reason, item)
}

// eventsDone counts what became of events, and notes the refused ones. It returns how many are stored.
func (s *Server) eventsDone(by event.Caller, drafts []event.Draft, verdicts []event.Verdict) (stored int) {
	for i := range drafts {
		d := &drafts[i]
		if !d.Refused() {
			s.outcomes.count(verdicts[i].Status)
			stored++
			continue
		}
		s.outcomes.reject(d.Problems[0].Code)
		s.rejections.Refused(senderOf(by), rejections.Event, d.Problems[0], func() json.RawMessage { return rejections.EventItem(d) })
	}
	if stored > 0 {
		s.rejections.Valid(senderOf(by))
	}
	return stored
}

// orderDone counts what became of an order or purchase, and notes a refused one.
func (s *Server) orderDone(by event.Caller, d *order.Draft, replayed bool, err error) {
	s.outcomes.order(replayed, err)
	s.moneyDone(by, rejections.Order, err, func() json.RawMessage { return rejections.OrderItem(d) })
}

// refundDone does the same for a refund.
func (s *Server) refundDone(by event.Caller, replayed bool, err error, item func() json.RawMessage) {
	s.outcomes.refund(replayed, err)
	s.moneyDone(by, rejections.Refund, err, item)
}

func (s *Server) moneyDone(by event.Caller, kind rejections.Kind, err error, item func() json.RawMessage) {
	if err == nil {
		s.rejections.Valid(senderOf(by))
		return
	}
	s.refused(by, kind, err, item)
}

// usualRejections is how many refusals an answer has if the request does not say.
const usualRejections = 100

// ListRejections answers GET /rejections.
func (s *Server) ListRejections(w http.ResponseWriter, r *http.Request, params ListRejectionsParams) {
	if err := s.listRejections(r.Context(), w, params); err != nil {
		problem.Write(w, r, err)
	}
}

func (s *Server) listRejections(ctx context.Context, w http.ResponseWriter, params ListRejectionsParams) error {
	caller, err := s.charge(ctx, w, 1)
	if err != nil {
		return err
	}
	var filter rejections.Filter
	if params.Key != nil {
		filter.Key = new(params.Key.String())
	}
	if params.Code != nil {
		filter.Code = *params.Code
	}
	limit := usualRejections
	if params.Limit != nil {
		limit = *params.Limit
	}
	report, err := s.rejections.Read(ctx, caller.Project.ID, filter, limit)
	if err != nil {
		return err
	}
	answer := RejectionList{Items: make([]Rejection, len(report.Refusals)), Senders: make([]RejectedSender, len(report.Senders))}
	for i, e := range report.Refusals {
		answer.Items[i] = Rejection{
			ID: e.ID, At: e.At, KeyID: keyOrNull(e.Key), Kind: RejectionKind(e.Kind), Code: e.Reason.Code, Pointer: e.Reason.Pointer, Detail: e.Reason.Detail, Item: e.Item,
		}
		if len(e.Item) == 0 {
			answer.Items[i].Item = json.RawMessage("{}")
		}
	}
	for i, record := range report.Senders {
		answer.Senders[i] = rejectedSender(record, report.Refusals)
	}
	return respond(w, http.StatusOK, answer)
}

// keyOrNull returns nil for accounts.
func keyOrNull(key string) *uuid.UUID {
	id, err := uuid.Parse(key)
	if err != nil {
		return nil
	}
	return &id
}

func rejectedSender(record rejections.Record, refusals []rejections.Entry) RejectedSender {
	answer := RejectedSender{KeyID: keyOrNull(record.Key), Refused: record.Refused(), Reasons: make([]RejectionCount, len(record.Reasons)), Summary: summary(record, refusals)}
	for i, reason := range record.Reasons {
		answer.Reasons[i] = RejectionCount{Code: reason.Code, Count: reason.N}
	}
	if !record.Since.IsZero() {
		answer.Since = &record.Since
	}
	if !record.Valid.IsZero() {
		answer.ValidAt = &record.Valid
	}
	return answer
}

// summary says in one line how a sender does, and if nothing that it sent was valid, why.
func summary(record rejections.Record, refusals []rejections.Entry) string {
	since := record.Since.Format(time.RFC3339)
	refused := record.Refused()
	switch {
	case record.Since.IsZero():
		return "Nothing was received with this key in the last 7 days, apart from requests without valid credentials."
	case refused == 0:
		return "Everything that was received since " + since + " was valid."
	case !record.Valid.IsZero():
		return fmt.Sprintf("%d refused since %s, most often with the code %s. Valid items were received, too.", refused, since, record.Reasons[0].Code)
	}
	why := "the code is " + record.Reasons[0].Code
	for _, e := range refusals {
		if e.Key == record.Key && e.Reason.Code == record.Reasons[0].Code {
			why = e.Reason.Detail
			if e.Reason.Pointer != "" {
				why = e.Reason.Pointer + ": " + why
			}
			break
		}
	}
	return fmt.Sprintf("Nothing valid was received since %s, and %d refused, most often because of this: %s", since, refused, why)
}
