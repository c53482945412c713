package stripe

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/webhook"
)

// refund is a refund. It is of an amount: Stripe does not say of which products.
type refund struct {
	ID            reference    `json:"id"`
	Amount        int64        `json:"amount"`
	Currency      foreign.Text `json:"currency"`
	Charge        reference    `json:"charge"`
	PaymentIntent reference    `json:"payment_intent"`
	Created       int64        `json:"created"`
	Status        foreign.Text `json:"status"`
	Reason        foreign.Text `json:"reason"`
	Metadata      metadata     `json:"metadata"`
}

func readRefund(object json.RawMessage, at time.Time) (webhook.Delivery, error) {
	var p refund
	if err := decode(object, &p); err != nil {
		return webhook.Delivery{}, err
	}
	return p.delivery(first(p.PaymentIntent, p.Charge), at), nil
}

// readRefundedCharge reads the newest refund of a charge, which old versions of the API have in this event. Newer ones have
// refund.created for it, and a refund in both counts once.
func readRefundedCharge(object json.RawMessage, at time.Time) (webhook.Delivery, error) {
	var charge struct {
		payment

		Refunds struct {
			Data webhook.Parts[refund] `json:"data"` // the newest first
		} `json:"refunds"`
	}
	if err := decode(object, &charge); err != nil {
		return webhook.Delivery{}, err
	}
	if len(charge.Refunds.Data) == 0 {
		return webhook.Delivery{Ignored: "The event does not name the refund: send refund.created."}, nil
	}
	return charge.Refunds.Data[0].delivery(first(charge.Invoice, charge.PaymentIntent, charge.ID), at), nil
}

// delivery returns the refund of an order.
func (p *refund) delivery(orderID string, at time.Time) webhook.Delivery {
	if p.Status == "failed" || p.Status == "canceled" {
		return webhook.Delivery{Ignored: "The refund has failed, or was canceled."}
	}
	if p.Created > 0 {
		at = time.Unix(p.Created, 0).UTC()
	}
	r := webhook.Refund{Order: orderID, Currency: strings.ToUpper(string(p.Currency)), At: at}
	draft(&r.Draft.FactDraft, string(p.ID), at)
	r.Draft.Reason = string(p.Reason)
	r.Rest = r.Draft
	r.Draft.AmountMinor = minor(&r.Draft.FactDraft, r.Currency, p.Amount)
	foreign.Set(&r.Draft.FactDraft, event.FieldAmount, true)
	if !r.Draft.Refused() {
		r.MakeAlone(p.Metadata.sku())
	}
	return webhook.Delivery{Refund: &r}
}
