package shopify

import (
	"slices"
	"strconv"

	"github.com/hp-analytics/hp-analytics/internal/money"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/webhook"
)

// refund is a refund. What is paid back for shipping is not read: shipping is not part of an order here.
type refund struct {
	ID          foreign.Text `json:"id"`
	OrderID     foreign.Text `json:"order_id"`
	CreatedAt   foreign.Text `json:"created_at"`
	Note        foreign.Text `json:"note"`
	Adjustments webhook.Lines[struct {
		Kind   foreign.Text `json:"kind"`
		Amount foreign.Text `json:"amount"`
		Set    moneySet     `json:"amount_set"`
	}] `json:"order_adjustments"`
	Transactions webhook.Parts[struct { // only the first is read
		Currency foreign.Text `json:"currency"`
	}] `json:"transactions"`
	RefundLines webhook.Lines[*refundLine] `json:"refund_line_items"`
}

type refundLine struct {
	Quantity int64        `json:"quantity"`
	Subtotal foreign.Text `json:"subtotal"`
	Set      moneySet     `json:"subtotal_set"`
	Line     *line        `json:"line_item"`
}

// currency returns the currency of the amounts; empty if nothing says it.
func (p *refund) currency() foreign.Text {
	for _, l := range p.RefundLines {
		if l != nil && l.Set.Shop.Currency != "" {
			return l.Set.Shop.Currency
		}
	}
	for i := range p.Adjustments {
		if c := p.Adjustments[i].Set.Shop.Currency; c != "" {
			return c
		}
	}
	for i := range p.Transactions {
		if c := p.Transactions[i].Currency; c != "" {
			return c
		}
	}
	return ""
}

func readRefund(body []byte) (webhook.Delivery, error) {
	var p refund
	if err := decode(body, &p); err != nil {
		return webhook.Delivery{}, err
	}
	r := webhook.Refund{Order: string(p.OrderID), Currency: string(p.currency())}
	r.At = fact(&r.Draft.FactDraft, string(p.ID), p.CreatedAt, "created_at")
	if p.OrderID == "" {
		r.Draft.Refuse("/order_id", event.CodeRequired, "order_id is required.")
	}
	r.Draft.Reason = reason(p.Note)
	adjustment := p.lines(&r)
	if r.Draft.Refused() {
		r.Rest = r.Draft
		return webhook.Delivery{Refund: &r}, nil
	}
	if len(r.Draft.Lines) == 0 && adjustment <= 0 {
		return webhook.Delivery{Ignored: "The refund gives back nothing of the products: shipping is not counted."}, nil
	}
	p.adjust(&r, adjustment)
	r.MakeAlone(noProduct)
	return webhook.Delivery{Refund: &r}, nil
}

// lines fills in the lines, and returns how much more than their amounts is paid back.
func (p *refund) lines(r *webhook.Refund) (adjustment int64) {
	d := &r.Draft
	if max(len(p.RefundLines), len(p.Adjustments)) > order.MaxLines {
		d.RefuseWhole(event.CodeInvalidValue, "A refund has at most "+strconv.Itoa(order.MaxLines)+" lines and adjustments.")
		return 0
	}
	currency, err := money.Parse(r.Currency)
	if err != nil {
		if len(p.RefundLines) > 0 {
			d.Refuse("/transactions", event.CodeInvalidValue, "currency "+err.Error()+".")
		}
		return 0
	}
	amount := func(pointer string, set moneySet, plain foreign.Text) int64 {
		text := set.Shop.Amount
		if text == "" {
			text = plain
		}
		n, err := webhook.Minor(string(text), 1, currency)
		if err != nil {
			d.Refuse(pointer, event.CodeInvalidValue, "The amount "+err.Error()+".")
		}
		return n
	}
	for i, l := range p.RefundLines {
		if l == nil || l.Quantity == 0 {
			continue
		}
		line := order.LineDraft{SKU: l.Line.sku(), Quantity: l.Quantity, Good: event.FieldSKU | event.FieldQuantity | event.FieldAmount}
		line.Sent, line.AmountMinor = line.Good, amount("/refund_line_items/"+strconv.Itoa(i)+"/subtotal", l.Set, l.Subtotal)
		d.Lines = append(d.Lines, line)
	}
	foreign.Set(&d.FactDraft, event.FieldLines, len(d.Lines) > 0)
	for i := range p.Adjustments {
		if a := &p.Adjustments[i]; a.Kind != "shipping_refund" { // its amount is below 0 if more is paid back than the lines say
			adjustment -= amount("/order_adjustments/"+strconv.Itoa(i)+"/amount", a.Set, a.Amount)
		}
	}
	return adjustment
}

// adjust distributes what is paid back beside the amounts of the lines, or less than these, and makes the refund of the rest.
func (p *refund) adjust(r *webhook.Refund, adjustment int64) {
	d := &r.Draft
	r.Rest = *d
	if len(d.Lines) == 0 {
		d.AmountMinor = adjustment
		foreign.Set(&d.FactDraft, event.FieldAmount, true)
		return
	}
	for i := range d.Lines {
		l := &d.Lines[i]
		less := min(max(0, -adjustment), l.AmountMinor)
		l.AmountMinor, adjustment = max(0, l.AmountMinor-less), adjustment+less
	}
	r.Rest.Lines, r.Extra = slices.Clone(d.Lines), max(0, adjustment)
	d.Lines[len(d.Lines)-1].AmountMinor += r.Extra // unless less is left of it: then Fit spreads it
}

// maxReason is how much is kept of a note, in characters.
const maxReason = 200

func reason(note foreign.Text) string {
	text := []rune(string(note))
	return string(text[:min(len(text), maxReason)])
}
