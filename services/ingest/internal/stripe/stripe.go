// Package stripe translates the webhooks of Stripe into orders and refunds. It checks their signatures, and knows neither HTTP nor the
// database.
//
// The events are those of https://docs.stripe.com/api/events/types, and the signature is that of
// https://docs.stripe.com/webhooks/signature. Several events tell of a payment: the id of the invoice, or else of the payment intent, is the
// id of the order, so events that name it make one order. Since version 2025-03-31 of the API, payments do not name their invoice:
// invoice.paid and payment_intent.succeeded of one payment then are two orders, so an endpoint takes only one of them.
package stripe

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/jsonerr"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/webhook"
)

// MaxBody is how many bytes an event has at most. Stripe sends the first ten lines of an invoice, so events are small.
const MaxBody = 1 << 20

// ErrTooLarge is the answer to a larger one.
var ErrTooLarge = errs.New(errs.TooLarge, "body_too_large", fmt.Sprintf("The body has at most %d bytes.", MaxBody))

// envelope is an event.
type envelope struct {
	Type    foreign.Text `json:"type"`
	Created int64        `json:"created"` // seconds since 1970
	Data    struct {
		Object json.RawMessage `json:"object"`
	} `json:"data"`
}

// Parse reads an event. An error refuses it as a whole.
func Parse(body []byte) (webhook.Delivery, error) {
	var e envelope
	if err := decode(body, &e); err != nil {
		return webhook.Delivery{}, err
	}
	read := map[foreign.Text]func(json.RawMessage, time.Time) (webhook.Delivery, error){
		"checkout.session.completed": readSession, "checkout.session.async_payment_succeeded": readSession,
		"payment_intent.succeeded": readPayment, "charge.succeeded": readPayment, "charge.captured": readPayment, "invoice.paid": readInvoice,
		"refund.created": readRefund, "charge.refunded": readRefundedCharge,
	}[e.Type]
	switch {
	case read == nil:
		return webhook.Delivery{Ignored: fmt.Sprintf("Events of the type %.50q are not counted.", string(e.Type))}, nil
	case e.Created <= 0 || len(e.Data.Object) == 0:
		return webhook.Delivery{}, errs.New(errs.Malformed, event.CodeMalformed, "The body is no event of Stripe: it has no object or no time.")
	}
	return read(e.Data.Object, time.Unix(e.Created, 0).UTC())
}

func decode(body []byte, to any) error {
	if err := json.Unmarshal(body, to); err != nil {
		return errs.New(errs.Malformed, event.CodeMalformed, "The body is no event of Stripe: "+jsonerr.Explain(err).Error()+".").Because(err)
	}
	return nil
}

// reference is the id of an object, which is in the place of the id if the version of the webhook says so.
type reference string

// UnmarshalJSON implements json.Unmarshaler.
func (r *reference) UnmarshalJSON(data []byte) error {
	if data[0] != '{' {
		var id foreign.Text
		err := id.UnmarshalJSON(data)
		*r = reference(id)
		return err
	}
	var object struct {
		ID foreign.Text `json:"id"`
	}
	err := json.Unmarshal(data, &object)
	*r = reference(object.ID)
	return err
}

// first returns the first reference that names anything.
func first(references ...reference) string {
	for _, r := range references {
		if r != "" {
			return string(r)
		}
	}
	return ""
}

// draft fills in the common part of an order or refund.
func draft(d *event.FactDraft, id string, at time.Time) {
	foreign.ID(d, id)
	foreign.Clock{Field: event.FieldTS, Name: "created"}.Set(d, at)
}
