package order

import (
	"context"
	"fmt"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// lookUp is a method of event.Catalog.
type lookUp func(ctx context.Context, refs []event.Ref) ([]event.Product, error)

// maxNewProducts is how many placeholders one request creates.
const maxNewProducts = 100

// price completes the open orders with their products, in a single look-up. The problems are noted in drafts.
func (x *examination) price(ctx context.Context, lookUp lookUp, drafts []Draft) error {
	var refs []event.Ref
	for _, i := range x.open {
		refs = append(refs, x.candidates[i].refs...)
	}
	products, err := lookUp(ctx, refs)
	if err != nil {
		return err
	}
	if x.caller.CreateProducts {
		if err := x.createProducts(ctx, refs, products); err != nil {
			return err
		}
	}
	for _, i := range x.open {
		n := len(x.candidates[i].refs)
		if own := products[:n:n]; x.exist(&drafts[i], x.candidates[i].refs, own) {
			x.candidates[i].complete(&drafts[i], x.caller, own)
		}
		products = products[n:]
	}
	return nil
}

// exist notes the products that do not exist, and reports whether all do.
func (x *examination) exist(d *Draft, refs []event.Ref, products []event.Product) bool {
	for i, ref := range refs {
		if products[i].Exists() {
			continue
		}
		pointer := d.pointer(i) + "/product_id"
		if ref.SKU != "" {
			pointer = d.pointer(i) + "/sku"
		}
		if ref.SKU != "" && x.caller.CreateProducts {
			d.Refuse(pointer, event.CodeTooManyProducts, "A request creates at most 100 products, and a project has at most 10000 that nobody has described.")
			continue
		}
		d.Refuse(pointer, event.CodeUnknownProduct, fmt.Sprintf("There is no product with %s.", ref))
	}
	return !d.Refused()
}

// createProducts creates placeholders for the unknown SKUs and puts them into products.
func (x *examination) createProducts(ctx context.Context, refs []event.Ref, products []event.Product) error {
	var unknown []event.Ref
	index := map[event.Ref][]int{}
	for i, ref := range refs {
		if ref.SKU == "" || products[i].Exists() {
			continue
		}
		if _, again := index[ref]; !again {
			if len(unknown) == maxNewProducts {
				continue
			}
			unknown = append(unknown, ref)
		}
		index[ref] = append(index[ref], i)
	}
	if len(unknown) == 0 {
		return nil
	}
	if err := x.deps.Catalog.CreatePlaceholders(ctx, unknown, x.caller.Project.Currency); err != nil {
		return err
	}
	created, err := x.deps.Catalog.Reload(ctx, unknown)
	for n := range created {
		for _, i := range index[unknown[n]] {
			products[i] = created[n]
		}
	}
	return err
}
