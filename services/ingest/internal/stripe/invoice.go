package stripe

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/webhook"
)

// otherLines is the SKU of the lines of an invoice that are not in the event, which has the first ten.
const otherLines = "stripe-other-lines"

// invoice is an invoice with its first lines.
type invoice struct {
	ID       reference          `json:"id"`
	Customer reference          `json:"customer"`
	Currency foreign.Text       `json:"currency"`
	Total    int64              `json:"total"`
	Net      *int64             `json:"total_excluding_tax"`
	Taxes    webhook.Lines[tax] `json:"total_taxes"`
	OldTaxes webhook.Lines[tax] `json:"total_tax_amounts"` // before version 2025-03-31 of the API
	Metadata metadata           `json:"metadata"`
	Lines    struct {
		Data    webhook.Lines[*invoiceLine] `json:"data"`
		HasMore bool                        `json:"has_more"`
	} `json:"lines"`
}

// invoiceLine is a line. Where its price and product stand depends on the version of the API.
type invoiceLine struct {
	Amount    int64    `json:"amount"` // of all units, before discounts and taxes; below 0 for what is credited
	Quantity  *int64   `json:"quantity"`
	Metadata  metadata `json:"metadata"`
	Discounts webhook.Parts[struct {
		Amount int64 `json:"amount"`
	}] `json:"discount_amounts"`
	Price struct {
		ID      reference `json:"id"`
		Product reference `json:"product"`
	} `json:"price"`
	Pricing struct {
		Details struct {
			Price   reference `json:"price"`
			Product reference `json:"product"`
		} `json:"price_details"`
	} `json:"pricing"`
}

// sku names the product of a line by the metadata, or else by the id of its product or price.
func (l *invoiceLine) sku() string {
	if text := strings.TrimSpace(string(l.Metadata.SKU)); text != "" {
		return text
	}
	if id := first(l.Pricing.Details.Product, l.Price.Product, l.Pricing.Details.Price, l.Price.ID); id != "" {
		return id
	}
	return noProduct
}

func (l *invoiceLine) net() int64 {
	net := l.Amount
	for i := range l.Discounts {
		net -= l.Discounts[i].Amount
	}
	return net
}

func readInvoice(object json.RawMessage, at time.Time) (webhook.Delivery, error) {
	var v invoice
	if err := decode(object, &v); err != nil {
		return webhook.Delivery{}, err
	}
	if v.Total <= 0 {
		return webhook.Delivery{Ignored: "Nothing was to be paid."}, nil
	}
	d := newOrder(string(v.ID), at, v.Currency, &v.Metadata, v.Customer)
	var credit, sum int64 // in Stripe's units
	for _, l := range v.Lines.Data {
		if l == nil || len(d.Lines) == order.MaxLines {
			continue
		}
		net := l.net()
		if sum += net; net < 0 {
			credit -= net
			continue
		}
		units := int64(1)
		if l.Quantity != nil && *l.Quantity > 0 {
			units = *l.Quantity
		}
		addLine(d, l.sku(), units, net)
	}
	if others := v.total() - sum; v.Lines.HasMore && others > 0 {
		addLine(d, otherLines, 1, others)
	} else if v.Lines.HasMore {
		credit -= others // the lines that are not in the event are credits in sum
	}
	for i := range d.Lines { // what is credited, such as for the rest of an old plan, is taken from what is paid
		l := &d.Lines[i]
		part := min(credit, l.AmountMinor)
		credit -= part
		l.AmountMinor = minor(&d.FactDraft, d.Currency, l.AmountMinor-part)
	}
	return webhook.Delivery{Order: d}, nil
}

// tax is a tax of an invoice. An inclusive one is in the amounts of the lines, too.
type tax struct {
	Amount    int64        `json:"amount"`
	Behavior  foreign.Text `json:"tax_behavior"`
	Inclusive bool         `json:"inclusive"` // of the old ones
}

// total is the amount of all lines: what is to be paid without the taxes that come on top of it.
func (v *invoice) total() int64 {
	if len(v.Taxes) == 0 && len(v.OldTaxes) == 0 && v.Net != nil {
		return *v.Net
	}
	total := v.Total
	for _, t := range v.Taxes {
		if t.Behavior != "inclusive" {
			total -= t.Amount
		}
	}
	if len(v.Taxes) > 0 {
		return total
	}
	for _, t := range v.OldTaxes {
		if !t.Inclusive {
			total -= t.Amount
		}
	}
	return total
}
