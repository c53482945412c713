package event

import (
	"context"
	"fmt"
)

// Catalog looks products up.
type Catalog interface {
	// Products returns the product of each ref, in their order, also archived ones. It is the zero Product for a product
	// that does not exist and for the zero Ref. A product that takes events may be a former version of itself, which the
	// Committer finds out. That a product is archived or does not exist is read after the call.
	Products(ctx context.Context, refs []Ref) ([]Product, error)
	// Reload does the same and reads all products after the call.
	Reload(ctx context.Context, refs []Ref) ([]Product, error)
}

// resolve checks an item against its product.
func resolve(d *FactDraft, f *Fact, ref Ref, product Product) {
	if ref == (Ref{}) {
		return // refused already
	}
	pointer := "/product_id"
	if ref.SKU != "" {
		pointer = "/sku"
	}
	switch {
	case !product.Exists():
		d.Refuse(pointer, CodeUnknownProduct, fmt.Sprintf("There is no product with %s.", ref))
	case product.Archived:
		d.Refuse(pointer, CodeArchivedProduct, fmt.Sprintf("The product with %s is archived and takes no new events.", ref))
	}
	f.ProductID, f.SKU = product.ID, ref.SKU
}

// settle fills in what an order leaves out from its product: the currency, and the list price as the amount. A customer
// cannot name another amount.
func settle(d *PurchaseDraft, p *Order, product Product, caller Caller) {
	if d.Has(FieldCurrency) && p.Currency != product.Currency {
		d.Refuse("/currency", CodeCurrencyMismatch, "The product is sold in "+product.Currency+".")
		return
	}
	p.Currency = product.Currency
	if caller.Customer || d.Sent&FieldAmount == 0 {
		p.ListPrice = &product.PriceMinor
	}
	if caller.Customer && d.Has(FieldAmount) && p.AmountMinor != product.PriceMinor*p.Quantity {
		d.Refuse("/amount_minor", CodePriceForbidden, "A user buys at the price of the catalog; leave amount_minor out.")
		return
	}
	if d.Sent&FieldAmount != 0 || p.Quantity < 1 {
		return
	}
	if product.PriceMinor > maxAmountMinor/p.Quantity {
		d.Refuse("/quantity", CodeAmountTooLarge, "The product's price times quantity is more than 1000000000000; give amount_minor.")
		return
	}
	p.AmountMinor = product.PriceMinor * p.Quantity
}
