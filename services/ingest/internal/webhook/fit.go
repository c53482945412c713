package webhook

import (
	"slices"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// left is what can be given back of a product.
type left struct{ units, amount int64 }

// Fit returns the part of a refund that the order has: a shop may have changed the order since it was stored. Units and amounts are at most
// those that are left of their product, lines of products that the order does not have are left out, and Extra is spread over the others up to what is left
// of them. It reports false if nothing remains.
func (r *Refund) Fit(of *order.Order) (order.RefundDraft, bool) {
	fitted := r.Rest
	if len(r.Rest.Lines) == 0 {
		return fitted, true
	}
	rest := make(map[string]left, len(of.Lines))
	for i := range of.Lines {
		l := &of.Lines[i]
		product := rest[l.SKU]
		rest[l.SKU] = left{product.units + l.LeftUnits(), product.amount + l.LeftMinor()}
	}
	fitted.Lines = slices.Clone(r.Rest.Lines)
	for i := range fitted.Lines {
		l := &fitted.Lines[i]
		product := rest[l.SKU]
		l.Quantity, l.AmountMinor = min(l.Quantity, product.units), min(l.AmountMinor, product.amount)
		rest[l.SKU] = left{product.units - l.Quantity, product.amount - l.AmountMinor}
	}
	extra := r.Extra
	for i := range fitted.Lines {
		l := &fitted.Lines[i]
		product := rest[l.SKU]
		more := min(extra, product.amount)
		l.AmountMinor += more
		extra -= more
		rest[l.SKU] = left{product.units, product.amount - more}
		if l.Quantity == 0 { // an amount alone
			l.Sent, l.Good = l.Sent&^event.FieldQuantity, l.Good&^event.FieldQuantity
		}
	}
	fitted.Lines = slices.DeleteFunc(fitted.Lines, func(l order.LineDraft) bool { return l.Quantity == 0 && l.AmountMinor == 0 })
	return fitted, len(fitted.Lines) > 0
}
