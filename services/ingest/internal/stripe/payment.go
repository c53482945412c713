package stripe

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/webhook"
)

// noProduct is the SKU of payments that name no product.
const noProduct = "stripe-payment"

// metadata is what the application has written on an object.
type metadata struct {
	SKU      foreign.Text `json:"sku"`
	Quantity foreign.Text `json:"quantity"`
	UserID   foreign.Text `json:"user_id"`
}

func (m *metadata) sku() string { return cmp.Or(strings.TrimSpace(string(m.SKU)), noProduct) }

// quantity is one unit, unless the metadata says something else.
func (m *metadata) quantity() int64 {
	n, err := strconv.ParseInt(string(m.Quantity), 10, 64)
	if err != nil {
		return 1
	}
	return n
}

// session is a session of Stripe's checkout. Its line items are not in events.
type session struct {
	ID            reference    `json:"id"`
	Mode          foreign.Text `json:"mode"`
	PaymentStatus foreign.Text `json:"payment_status"`
	Invoice       reference    `json:"invoice"`
	PaymentIntent reference    `json:"payment_intent"`
	Customer      reference    `json:"customer"`
	Reference     foreign.Text `json:"client_reference_id"`
	Currency      foreign.Text `json:"currency"`
	Subtotal      int64        `json:"amount_subtotal"`
	Total         int64        `json:"amount_total"`
	Metadata      metadata     `json:"metadata"`
	Details       struct {
		Discount int64 `json:"amount_discount"`
	} `json:"total_details"`
}

func readSession(object json.RawMessage, at time.Time) (webhook.Delivery, error) {
	var s session
	if err := decode(object, &s); err != nil {
		return webhook.Delivery{}, err
	}
	switch {
	case s.PaymentStatus != "paid" || s.Total == 0:
		return webhook.Delivery{Ignored: "Nothing was paid yet: a later payment is an event of its own."}, nil
	case s.Mode == "subscription":
		return webhook.Delivery{Ignored: "A subscription is counted by its invoices, which have its lines: send invoice.paid."}, nil
	}
	s.Metadata.UserID = cmp.Or(s.Metadata.UserID, s.Reference)
	return webhook.Delivery{Order: single(first(s.Invoice, s.PaymentIntent, s.ID), at, s.Currency, s.Subtotal-s.Details.Discount, &s.Metadata, s.Customer)}, nil
}

// payment is a payment intent or a charge.
type payment struct {
	ID            reference    `json:"id"`
	Invoice       reference    `json:"invoice"`
	PaymentIntent reference    `json:"payment_intent"` // of a charge
	Customer      reference    `json:"customer"`
	Currency      foreign.Text `json:"currency"`
	Amount        int64        `json:"amount"`
	Received      *int64       `json:"amount_received"` // of a payment intent
	Captured      *bool        `json:"captured"`        // of a charge: false while the amount is only authorized
	Taken         *int64       `json:"amount_captured"` // of a charge
	Metadata      metadata     `json:"metadata"`
}

// paid is what the customer has paid. Only the oldest versions of the API do not say it, and have the amount alone.
func (p *payment) paid() int64 {
	switch {
	case p.Received != nil:
		return *p.Received
	case p.Captured != nil && !*p.Captured:
		return 0
	case p.Taken != nil:
		return *p.Taken
	}
	return p.Amount
}

func readPayment(object json.RawMessage, at time.Time) (webhook.Delivery, error) {
	var p payment
	if err := decode(object, &p); err != nil {
		return webhook.Delivery{}, err
	}
	amount := p.paid()
	if amount == 0 {
		return webhook.Delivery{Ignored: "Nothing was paid yet: the amount is authorized, and charge.captured or payment_intent.succeeded tells of the payment."}, nil
	}
	return webhook.Delivery{Order: single(first(p.Invoice, p.PaymentIntent, p.ID), at, p.Currency, amount, &p.Metadata, p.Customer)}, nil
}

// single returns an order of one line, because the event has no other.
func single(id string, at time.Time, currency foreign.Text, amount int64, m *metadata, customer reference) *order.Draft {
	d := newOrder(id, at, currency, m, customer)
	addLine(d, m.sku(), m.quantity(), minor(&d.FactDraft, d.Currency, amount))
	return d
}

// newOrder returns an order without lines. The user is the one that the application named, or else the customer.
func newOrder(id string, at time.Time, currency foreign.Text, m *metadata, customer reference) *order.Draft {
	var d order.Draft
	draft(&d.FactDraft, id, at)
	if user := cmp.Or(m.UserID, foreign.Text(customer)); user != "" {
		foreign.Users(&d.FactDraft, user, "")
	} else {
		webhook.Guest(&d.FactDraft, id)
	}
	d.Currency = strings.ToUpper(string(currency))
	foreign.Set(&d.FactDraft, event.FieldCurrency, d.Currency != "")
	foreign.Set(&d.FactDraft, event.FieldLines, true)
	foreign.Raw(&d.FactDraft, json.RawMessage(`{"source":"stripe"}`), &d.Properties, &d.Replaced)
	return &d
}

func addLine(d *order.Draft, sku string, quantity, amount int64) {
	fields := event.FieldSKU | event.FieldQuantity | event.FieldAmount
	d.Lines = append(d.Lines, order.LineDraft{SKU: sku, Quantity: quantity, AmountMinor: amount, Sent: fields, Good: fields})
}
