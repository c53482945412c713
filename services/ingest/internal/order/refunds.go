package order

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// Refund records a refund of an order. A refused one is an Invalid error that lists its problems, one of more than is left has the
// code refund_too_large, and one of no known order is ErrUnknown.
func (r *Recorder) Refund(ctx context.Context, caller event.Caller, order uuid.UUID, draft *RefundDraft) (RefundOutcome, error) {
	comparable := !draft.Refused()
	refund := readRefund(r.rules, draft, caller, order, time.Now())
	outcome := RefundOutcome{Err: event.Refusal(draft.Problems)}
	var err error
	switch {
	case !draft.Refused():
		outcome, err = r.deps.Committer.CommitRefund(ctx, refund)
	case comparable && refund.ID != uuid.Nil:
		// A retry is answered as before, even if it is too old for a new refund.
		known, lookUp := r.deps.Archive.KnownRefund(ctx, refund)
		if err = lookUp; known.Decided() {
			outcome = known
		}
	}
	if err != nil {
		return RefundOutcome{}, err
	}
	return outcome, outcome.Err
}

// readRefund checks a draft against the rules that do not concern its order. The refund is not valid if the draft is refused after
// it.
func readRefund(rules event.Rules, d *RefundDraft, caller event.Caller, order uuid.UUID, now time.Time) Refund {
	moment := rules.Moment(&d.FactDraft, caller, now)
	d.Clamped = moment.Clamped
	if !d.Has(event.FieldID) && !d.SentBadly(event.FieldID) {
		d.Refuse("/id", event.CodeRequired, "id is required: it makes retries safe.")
	}
	checkReason(&d.FactDraft, d.Reason)
	refund := Refund{
		Key: Key{Project: caller.Project.ID, ID: moment.ID}, Number: numberOf(&d.FactDraft, moment.ID), Order: order, TS: moment.TS, Reason: d.Reason,
	}
	if d.Has(event.FieldAmount) {
		refund.AmountMinor = &d.AmountMinor
		checkTotal(d)
	}
	refs := make([]event.Ref, len(d.Lines))
	if d.Has(event.FieldLines) && len(d.Lines) == 0 {
		d.Refuse("/lines", event.CodeInvalidValue, "lines must not be empty; leave it out to refund all that is left.")
	}
	for i := range d.Lines {
		item := d.Lines[i].fact()
		var line RefundItem
		line, refs[i] = refundItem(&item, &d.Lines[i], caller)
		refund.Request = append(refund.Request, line)
		adopt(&d.FactDraft, "/lines/"+strconv.Itoa(i), &item)
	}
	refund.ContentHash = ofRefund(d, order, refs)
	return refund
}

func checkTotal(d *RefundDraft) {
	switch {
	case len(d.Lines) > 0:
		d.Refuse("/amount_minor", event.CodeInvalidValue, "Give amount_minor or lines, not both.")
	case d.AmountMinor < 1 || d.AmountMinor > maxAmountMinor:
		d.Refuse("/amount_minor", event.CodeInvalidValue, "amount_minor must be from 1 to 1000000000000.")
	}
}

// refundItem checks a line of a refund, which names a line of the order or a product.
func refundItem(item *event.FactDraft, l *LineDraft, caller event.Caller) (asked RefundItem, ref event.Ref) {
	switch {
	case l.Sent&event.FieldLine == 0:
		ref = event.ProductOf(item, caller)
		asked.Product = ref
	case l.Sent&(event.FieldProductID|event.FieldSKU) != 0:
		item.Refuse("/line", event.CodeProductAmbiguous, "Name the line by its number or by its product, not by both.")
	case l.Has(event.FieldLine) && (l.Line < 1 || l.Line > MaxLines):
		item.Refuse("/line", event.CodeInvalidValue, "line must be from 1 to 2000.")
	default:
		asked.Line = l.Line
	}
	if l.Has(event.FieldQuantity) {
		asked.Quantity = &l.Quantity
		checkQuantity(item, l)
	}
	if l.Has(event.FieldAmount) {
		asked.AmountMinor = &l.AmountMinor
		least := int64(1)
		if asked.Quantity != nil {
			least = 0 // units can come back for nothing
		}
		checkAmount(item, l, least)
	}
	return asked, ref
}

// checkReason refuses what the database cannot store.
func checkReason(d *event.FactDraft, reason string) {
	switch {
	case utf8.RuneCountInString(reason) > maxReason:
		d.Refuse("/reason", event.CodeInvalidValue, "reason must have at most 1000 characters.")
	case strings.ContainsAny(reason, "\x00\ufffd") || !utf8.ValidString(reason): // U+FFFD is what was half an emoji
		d.Refuse("/reason", event.CodeInvalidValue, "reason "+identifier.ErrUnstorable.Error()+".")
	}
}
