package order

import (
	"fmt"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// complete fills in what an order leaves out from its products: the currency of a purchase, and prices as the amounts. A guest
// cannot name another amount.
func (c *candidate) complete(d *Draft, caller event.Caller, products []event.Product) {
	if d.Purchase && !d.Has(event.FieldCurrency) {
		c.Currency = products[0].Currency
	}
	for i := range c.Lines {
		item := d.Lines[i].fact()
		c.Lines[i] = line(&item, &d.Lines[i], products[i], c.Currency, caller)
		adopt(&d.FactDraft, d.pointer(i), &item)
	}
	if total := c.AmountMinor(); !d.Refused() && total > maxAmountMinor {
		d.Refuse("/lines", CodeAmountTooLarge, fmt.Sprintf("The lines cost %d in all, which is more than 1000000000000.", total))
	}
}

func line(item *event.FactDraft, d *LineDraft, product event.Product, currency string, caller event.Caller) Line {
	l := Line{Product: product.N, ProductID: product.ID, SKU: product.SKU, Quantity: d.Quantity, AmountMinor: d.AmountMinor}
	named := d.Has(event.FieldAmount)
	if named && caller.Rights == event.Trusted {
		return l
	}
	price, ok := product.Price(currency)
	switch {
	case !ok:
		item.Refuse("/amount_minor", CodeNoPrice, fmt.Sprintf("The product has no price in %s; give amount_minor.", currency))
		return l
	case price > maxAmountMinor/d.Quantity:
		item.Refuse("/quantity", CodeAmountTooLarge, "The product's price times quantity is more than 1000000000000; give amount_minor.")
		return l
	case named && d.AmountMinor != price*d.Quantity:
		item.Refuse("/amount_minor", CodePriceForbidden, "A user who is no owner of the project buys at the price of the catalog; leave amount_minor out.")
		return l
	}
	l.AmountMinor, l.ListPrice = price*d.Quantity, &price
	return l
}
