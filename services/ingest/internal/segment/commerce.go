package segment

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/hp-analytics/hp-analytics/internal/money"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/decode"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// productFields are what an event of a shop says of a product. Prices are in major units, and of one unit.
type productFields struct {
	SKU       scalar `json:"sku"`
	ProductID scalar `json:"product_id"`
	ID        scalar `json:"id"` // in the first version of the specification
	Price     scalar `json:"price"`
	Quantity  scalar `json:"quantity"`
}

func (p *productFields) sku() string {
	for _, text := range []scalar{p.SKU, p.ProductID, p.ID} {
		if text != "" {
			return string(text)
		}
	}
	return ""
}

// orderFields are what an event of a shop says of an order.
type orderFields struct {
	OrderID  scalar          `json:"order_id"`
	LegacyID scalar          `json:"orderId"`
	Currency scalar          `json:"currency"`
	Products []productFields `json:"products"`
}

func (m *message) orderFields() (f orderFields, ok bool) {
	if len(m.Properties) == 0 || json.Unmarshal(m.Properties, &f) != nil {
		return f, false
	}
	if f.OrderID == "" {
		f.OrderID = f.LegacyID
	}
	return f, f.OrderID != ""
}

// order returns the order of an event that names its id and its products. The order's own id makes it one order, however often and from
// wherever it is sent.
func (m *message) order(currency string) (d order.Draft, ok bool) {
	f, ok := m.orderFields()
	if !ok || len(f.Products) == 0 || len(f.Products) > order.MaxLines {
		return d, false
	}
	m.fact(&d.FactDraft, f.OrderID)
	if d.Currency = currency; f.Currency != "" {
		d.Currency = strings.ToUpper(string(f.Currency))
	}
	set(&d.FactDraft, event.FieldCurrency, d.Currency != "")
	set(&d.FactDraft, event.FieldLines, true)
	for i := range f.Products {
		d.Lines = append(d.Lines, f.Products[i].line(&d, i))
	}
	if err := decode.Properties(m.Properties, &d.FactDraft, &d.Properties, &d.Replaced); err != nil {
		d.RefuseWhole(event.CodeMalformed, "The message cannot be read: "+err.Error()+".")
	}
	return d, true
}

// line returns a line of an order. Without a price the catalog's is taken.
func (p *productFields) line(d *order.Draft, i int) (l order.LineDraft) {
	pointer := "/properties/products/" + strconv.Itoa(i)
	l.SKU, l.Quantity = p.sku(), p.quantity(&d.FactDraft, pointer)
	l.Good = event.FieldQuantity
	if l.SKU != "" {
		l.Good |= event.FieldSKU
	}
	if p.Price != "" {
		if l.AmountMinor = p.amount(d, pointer, l.Quantity); !d.Refused() {
			l.Good |= event.FieldAmount
		}
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

func (p *productFields) amount(d *order.Draft, pointer string, quantity int64) int64 {
	currency, err := money.Parse(d.Currency)
	if err != nil {
		return 0 // the rules refuse the currency
	}
	price, err := money.ParseDecimal(string(p.Price))
	if err == nil {
		var minor int64
		// Half a minor unit is rounded away from zero: shops send prices that were divided.
		if minor, err = price.Times(quantity).Minor(currency); err == nil || errors.Is(err, money.ErrNotExact) {
			return minor
		}
	}
	d.Refuse(pointer+"/price", event.CodeInvalidValue, "price "+err.Error()+".")
	return 0
}

// refund returns the refund of an event that names its order: of the units of its products, or of all that is left. A message is one
// refund.
func (m *message) refund() (r Refund, ok bool) {
	f, ok := m.orderFields()
	if !ok || len(f.Products) > order.MaxLines {
		return r, false
	}
	r.Order = string(f.OrderID)
	id := m.MessageID
	if id == "" {
		id = "refund of " + f.OrderID
	}
	m.fact(&r.Draft.FactDraft, id)
	// The buyer is that of the order.
	r.Draft.Sent &^= event.FieldUserID | event.FieldAnonymousID
	r.Draft.Good &^= event.FieldUserID | event.FieldAnonymousID
	set(&r.Draft.FactDraft, event.FieldLines, len(f.Products) > 0)
	for i := range f.Products {
		p := &f.Products[i]
		l := order.LineDraft{SKU: p.sku(), Good: event.FieldSKU | event.FieldQuantity}
		l.Quantity = p.quantity(&r.Draft.FactDraft, "/properties/products/"+strconv.Itoa(i))
		l.Sent = l.Good
		r.Draft.Lines = append(r.Draft.Lines, l)
	}
	return r, true
}
