package segment

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/money"
	"github.com/hp-analytics/hp-analytics/internal/platform/jsonerr"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/foreign"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// productFields are what an event of a shop says of a product. Prices are in major units, and of one unit.
type productFields struct {
	SKU       foreign.Text `json:"sku"`
	ProductID foreign.Text `json:"product_id"`
	ID        foreign.Text `json:"id"` // in the first version of the specification
	Price     foreign.Text `json:"price"`
	Quantity  foreign.Text `json:"quantity"`
}

func (p *productFields) sku() string {
	for _, text := range []foreign.Text{p.SKU, p.ProductID, p.ID} {
		if text != "" {
			return string(text)
		}
	}
	return ""
}

// orderFields are what an event of a shop says of an order.
type orderFields struct {
	OrderID  foreign.Text    `json:"order_id"`
	LegacyID foreign.Text    `json:"orderId"`
	Currency foreign.Text    `json:"currency"`
	Total    foreign.Text    `json:"total"`
	Products []productFields `json:"products"`

	unreadable error // the fields have other shapes than the specification gives them
}

// orderFields returns what is said of an order, if the message names one.
func (m *message) orderFields() (f orderFields, named bool) {
	if m.Event != "Order Completed" && m.Event != "Completed Order" && m.Event != "Order Refunded" && m.Event != "Refunded Order" || len(m.Properties) == 0 {
		return f, false
	}
	if err := json.Unmarshal(m.Properties, &f); err != nil {
		f.unreadable = err
		f.Products = nil
	}
	if f.OrderID == "" {
		f.OrderID = f.LegacyID
	}
	return f, f.OrderID != ""
}

// check refuses an order that cannot be read.
func (f *orderFields) check(d *event.FactDraft) bool {
	switch {
	case f.unreadable != nil:
		d.RefuseWhole(event.CodeMalformed, "The order cannot be read: "+jsonerr.Explain(f.unreadable).Error()+".")
	case len(f.Products) > order.MaxLines:
		d.RefuseWhole(event.CodeInvalidValue, "An order has at most "+strconv.Itoa(order.MaxLines)+" products.")
	}
	return !d.Refused()
}

// order returns the order of an event. The order's own id makes it one order, however often and from wherever it is sent.
func (m *message) order(f *orderFields, currency string) (d order.Draft) {
	m.fact(&d.FactDraft, f.OrderID)
	if !f.check(&d.FactDraft) {
		return d
	}
	if d.Currency = currency; f.Currency != "" {
		d.Currency = strings.ToUpper(string(f.Currency))
	}
	foreign.Set(&d.FactDraft, event.FieldCurrency, d.Currency != "")
	foreign.Set(&d.FactDraft, event.FieldLines, true)
	for i := range f.Products {
		d.Lines = append(d.Lines, f.Products[i].line(&d, i))
	}
	foreign.Raw(&d.FactDraft, m.Properties, &d.Properties, &d.Replaced)
	return d
}

// line returns a line of an order. Without a price the catalog's is taken.
func (p *productFields) line(d *order.Draft, i int) (l order.LineDraft) {
	pointer := "/properties/products/" + strconv.Itoa(i)
	l.SKU, l.Quantity = p.sku(), p.quantity(&d.FactDraft, pointer)
	l.Good = event.FieldQuantity
	if l.SKU != "" {
		l.Good |= event.FieldSKU
	}
	// The rules refuse an unknown currency.
	if currency, err := money.Parse(d.Currency); p.Price != "" && err == nil {
		amount, err := minor(p.Price, l.Quantity, currency)
		if l.AmountMinor = amount; err != nil {
			d.Refuse(pointer+"/price", event.CodeInvalidValue, "price "+err.Error()+".")
		}
		l.Good |= event.FieldAmount
	}
	l.Sent = l.Good
	return l
}

// quantity returns how many units there are: one, unless the event says something else.
func (p *productFields) quantity(d *event.FactDraft, pointer string) int64 {
	if p.Quantity == "" {
		return 1
	}
	number, err := strconv.ParseFloat(string(p.Quantity), 64) // languages with one kind of number write 2.0
	units := int64(number)
	if err != nil || float64(units) != number {
		d.Refuse(pointer+"/quantity", event.CodeInvalidValue, "quantity must be a whole number.")
	}
	return units
}

// minor returns n times a price in minor units. Half a unit is rounded away from zero: shops send prices that were divided.
func minor(price foreign.Text, n int64, currency money.Currency) (int64, error) {
	decimal, err := money.ParseDecimal(string(price))
	if err != nil {
		return 0, err
	}
	amount, err := decimal.Times(n).Minor(currency)
	if errors.Is(err, money.ErrNotExact) {
		err = nil
	}
	return amount, err
}

// refund returns the refund of an event that names its order: of the units of its products; or without products of its total, if it says
// that and its currency; or else of all that is left. A message is one refund.
func (m *message) refund(f *orderFields) (r Refund) {
	r.Order = string(f.OrderID)
	id := m.id()
	if id == "" {
		id = "refund of " + f.OrderID // a refund has an id, and one that says nothing else is of all that is left
	}
	m.fact(&r.Draft.FactDraft, id)
	// The buyer is that of the order.
	r.Draft.Sent &^= event.FieldUserID | event.FieldAnonymousID
	r.Draft.Good &^= event.FieldUserID | event.FieldAnonymousID
	if !f.check(&r.Draft.FactDraft) {
		return r
	}
	foreign.Set(&r.Draft.FactDraft, event.FieldLines, len(f.Products) > 0)
	for i := range f.Products {
		p := &f.Products[i]
		l := order.LineDraft{SKU: p.sku(), Good: event.FieldSKU | event.FieldQuantity}
		l.Quantity = p.quantity(&r.Draft.FactDraft, "/properties/products/"+strconv.Itoa(i))
		l.Sent = l.Good
		r.Draft.Lines = append(r.Draft.Lines, l)
	}
	if len(f.Products) == 0 && f.Total != "" {
		m.total(&r, f)
	}
	return r
}

// total makes a refund one of an amount.
func (m *message) total(r *Refund, f *orderFields) {
	currency, err := money.Parse(strings.ToUpper(string(f.Currency)))
	if err != nil {
		r.Draft.Refuse("/properties/currency", event.CodeInvalidValue, "currency "+err.Error()+".")
		return
	}
	amount, err := minor(f.Total, 1, currency)
	if err != nil {
		r.Draft.Refuse("/properties/total", event.CodeInvalidValue, "total "+err.Error()+".")
		return
	}
	r.Draft.AmountMinor, r.Currency = amount, currency.String()
	foreign.Set(&r.Draft.FactDraft, event.FieldAmount, true)
}
