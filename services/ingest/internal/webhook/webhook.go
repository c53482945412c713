// Package webhook is what the webhooks of shops and payment services have in common: what they say of orders and refunds, once it is
// translated. Webhooks come at least once, and overtake each other.
package webhook

import (
	"errors"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/money"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// The answers to bodies that the service did not sign with the secret of the key.
var (
	ErrSignature error = errs.New(errs.Unauthenticated, "invalid_signature",
		"The signature does not fit: the secret of the key is not the one with which the service signs, or the body was changed on its way.")
	ErrStale error = errs.New(errs.Unauthenticated, "signature_too_old", "The body was signed more than 5 minutes ago. Services sign again when they send again.")
)

// Delivery is what a webhook says: an order, a refund, or nothing that is counted.
type Delivery struct {
	Ignored string // why nothing is counted; empty if Order or Refund is set
	Order   *order.Draft
	Refund  *Refund
}

// Refund is what is paid back.
type Refund struct {
	Order    string    // the id of the order
	Currency string    // that the order must have; empty for any
	At       time.Time // when it was paid back
	Draft    order.RefundDraft
	// Rest is for a refund of more than is left: of taxes, for example, which orders do not have. Without lines it is of all that is left. With
	// lines it is Draft less Extra, which Fit reads.
	Rest order.RefundDraft
	// Extra is what is paid back beside the amounts of the lines of Rest, in minor units; at least 0.
	Extra int64
	// Alone is the same without the order; nil if it means nothing without it.
	Alone *order.Draft
}

// Guest names the buyer of an order that names nobody: it is the only order of this buyer.
func Guest(d *event.FactDraft, orderID string) {
	d.AnonymousID = "order:" + orderID
	foreign.Set(d, event.FieldAnonymousID, orderID != "")
}

// Minor returns n times a decimal amount in minor units. Half a unit is rounded away from zero.
func Minor(text string, n int64, currency money.Currency) (int64, error) {
	decimal, err := money.ParseDecimal(text)
	if err != nil {
		return 0, err
	}
	amount, err := decimal.Times(n).Minor(currency)
	if errors.Is(err, money.ErrNotExact) {
		err = nil
	}
	return amount, err
}

// MakeAlone sets the refund without its order, of the buyer that a guest's order has. Without lines, all of it is of the product with the SKU.
func (r *Refund) MakeAlone(sku string) {
	d := order.Draft{FactDraft: r.Draft.FactDraft, Currency: r.Currency, Reason: r.Draft.Reason}
	d.Lines = append(d.Lines, r.Draft.Lines...)
	d.Sent, d.Good = d.Sent&^event.FieldAmount, d.Good&^event.FieldAmount
	Guest(&d.FactDraft, r.Order)
	foreign.Set(&d.FactDraft, event.FieldCurrency, r.Currency != "")
	foreign.Set(&d.FactDraft, event.FieldLines, true)
	if len(d.Lines) == 0 {
		fields := event.FieldSKU | event.FieldAmount
		d.Lines = []order.LineDraft{{SKU: sku, AmountMinor: r.Draft.AmountMinor, Sent: fields, Good: fields}}
	}
	r.Alone = &d
}
