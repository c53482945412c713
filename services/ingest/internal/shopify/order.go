package shopify

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/money"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/webhook"
)

// moneySet is an amount in the currency of the shop and in that of the customer. The shop's is used: its own reports are in it.
type moneySet struct {
	Shop struct {
		Amount   foreign.Text `json:"amount"`
		Currency foreign.Text `json:"currency_code"`
	} `json:"shop_money"`
}

// payload is an order. Members that are not used are not read.
type payload struct {
	ID          foreign.Text         `json:"id"`
	Name        foreign.Text         `json:"name"`
	Test        bool                 `json:"test"`
	Currency    foreign.Text         `json:"currency"`
	CreatedAt   foreign.Text         `json:"created_at"`
	ProcessedAt foreign.Text         `json:"processed_at"`
	CancelledAt foreign.Text         `json:"cancelled_at"`
	Financial   foreign.Text         `json:"financial_status"`
	Source      foreign.Text         `json:"source_name"`
	Lines       webhook.Lines[*line] `json:"line_items"`
	Customer    struct {
		ID foreign.Text `json:"id"`
	} `json:"customer"`
}

type line struct {
	SKU       foreign.Text `json:"sku"`
	VariantID foreign.Text `json:"variant_id"`
	ProductID foreign.Text `json:"product_id"`
	Quantity  int64        `json:"quantity"`
	Price     foreign.Text `json:"price"`
	Discounts webhook.Parts[struct {
		Amount foreign.Text `json:"amount"`
		Set    moneySet     `json:"amount_set"`
	}] `json:"discount_allocations"`
}

// unpaid reports whether nothing was paid for the order.
func (p *payload) unpaid() bool {
	return slices.Contains([]foreign.Text{"pending", "authorized", "expired", "voided"}, p.Financial)
}

// noProduct is the SKU of lines that name no product, such as items that were typed into a draft order.
const noProduct = "shopify-custom-item"

// sku names the product of a line by its SKU, or else by the id of its variant or of its product.
func (l *line) sku() string {
	if l != nil {
		for _, text := range []foreign.Text{l.SKU, l.VariantID, l.ProductID} {
			if text := strings.TrimSpace(string(text)); text != "" {
				return text
			}
		}
	}
	return noProduct
}

// order returns the order. It says nothing that differs among the webhooks of an order, so it is one order whichever comes first.
func (p *payload) order() *order.Draft {
	var d order.Draft
	at := p.ProcessedAt // which differs from created_at for orders that were imported
	if at == "" {
		at = p.CreatedAt
	}
	fact(&d.FactDraft, string(p.ID), at, "processed_at")
	p.buyer(&d.FactDraft)
	d.Currency = string(p.Currency)
	foreign.Set(&d.FactDraft, event.FieldCurrency, d.Currency != "")
	foreign.Set(&d.FactDraft, event.FieldLines, len(p.Lines) > 0)
	if len(p.Lines) > order.MaxLines {
		d.RefuseWhole(event.CodeInvalidValue, "An order has at most "+strconv.Itoa(order.MaxLines)+" lines.")
		return &d
	}
	currency, err := money.Parse(d.Currency)
	for i, l := range p.Lines {
		if l == nil || l.Quantity == 0 {
			continue // removed
		}
		draft := order.LineDraft{SKU: l.sku(), Quantity: l.Quantity, Good: event.FieldSKU | event.FieldQuantity | event.FieldAmount}
		if draft.Sent = draft.Good; err == nil { // the rules refuse an unknown currency
			draft.AmountMinor, err = l.amount(currency)
			if err != nil {
				d.Refuse("/line_items/"+strconv.Itoa(i)+"/price", event.CodeInvalidValue, "price "+err.Error()+".")
				err = nil
			}
		}
		d.Lines = append(d.Lines, draft)
	}
	properties, err := json.Marshal(map[string]foreign.Text{"source": "shopify", "name": p.Name, "channel": p.Source})
	if err == nil {
		foreign.Raw(&d.FactDraft, properties, &d.Properties, &d.Replaced)
	}
	return &d
}

var errDiscounts = errors.New("has more than " + strconv.Itoa(webhook.MaxParts) + " discounts")

// amount is what was paid for all units of a line, after its own discounts and its parts of those of the order.
func (l *line) amount(currency money.Currency) (int64, error) {
	if len(l.Discounts) > webhook.MaxParts {
		return 0, errDiscounts
	}
	amount, err := webhook.Minor(string(l.Price), l.Quantity, currency)
	for i := range l.Discounts {
		d := &l.Discounts[i]
		text := d.Set.Shop.Amount
		if text == "" {
			text = d.Amount
		}
		discount, failed := webhook.Minor(string(text), 1, currency)
		if err == nil {
			err = failed
		}
		amount -= discount
	}
	return max(0, amount), err
}

// buyer names the customer, or for a guest the order itself, so that guests are different people.
func (p *payload) buyer(d *event.FactDraft) {
	if d.UserID = string(p.Customer.ID); d.UserID != "" {
		foreign.Set(d, event.FieldUserID, true)
		return
	}
	webhook.Guest(d, string(p.ID))
}

// fact fills in the id and the time, which it returns. The rules refuse what has no id.
func fact(d *event.FactDraft, id string, at foreign.Text, name string) time.Time {
	foreign.ID(d, id)
	clock := foreign.Clock{Field: event.FieldTS, Name: name}
	if clock.Read(d, at); at == "" {
		d.Refuse("/"+name, event.CodeRequired, name+" is required.")
	}
	return d.TS
}
