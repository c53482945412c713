package event

import (
	"context"
	"fmt"
)

// Catalog looks products up.
type Catalog interface {
	// Products returns the product of each ref, in their order, also archived ones. It is the zero Product for a product
	// that does not exist and for the zero Ref. A product may be a former version of itself, which the Committer finds out. That
	// it does not exist is read after the call.
	Products(ctx context.Context, refs []Ref) ([]Product, error)
	// Reload does the same and reads all products after the call.
	Reload(ctx context.Context, refs []Ref) ([]Product, error)
	// CreatePlaceholders creates a product for each of refs, which name SKUs, that has none. It leaves some out when the project
	// has MaxPlaceholders. The products are found after that.
	CreatePlaceholders(ctx context.Context, refs []Ref, currency string) error
}

// Limits of placeholder products. More are refused until somebody describes some of them.
const (
	MaxPlaceholders = 10_000 // of a project
	maxNewProducts  = 100    // created by one request
)

// resolve finds out the products of events. Unknown SKUs become placeholders if the caller wants that.
func (r *Recorder) resolve(ctx context.Context, caller Caller, drafts []Draft, events []Event, refs []Ref, found []Product) error {
	if caller.CreateProducts {
		if err := r.createProducts(ctx, caller, drafts, refs, found); err != nil {
			return err
		}
	}
	for i := range drafts {
		resolve(&drafts[i].FactDraft, &events[i].Fact, refs[i], found[i])
	}
	return nil
}

// createProducts creates placeholders for the unknown SKUs of valid drafts and puts them into found.
func (r *Recorder) createProducts(ctx context.Context, caller Caller, drafts []Draft, refs []Ref, found []Product) error {
	var unknown []Ref
	index := map[Ref][]int{}
	for i, ref := range refs {
		if ref.SKU == "" || found[i].Exists() || drafts[i].Refused() {
			continue
		}
		if _, again := index[ref]; !again {
			if len(unknown) == maxNewProducts {
				drafts[i].Refuse("/sku", CodeTooManyProducts, "One request creates at most 100 products.")
				continue
			}
			unknown = append(unknown, ref)
		}
		index[ref] = append(index[ref], i)
	}
	if len(unknown) == 0 {
		return nil
	}
	if err := r.catalog.CreatePlaceholders(ctx, unknown, caller.Project.Currency); err != nil {
		return err
	}
	created, err := r.catalog.Reload(ctx, unknown)
	if err != nil {
		return err
	}
	for n, ref := range unknown {
		for _, i := range index[ref] {
			if found[i] = created[n]; !created[n].Exists() {
				drafts[i].Refuse("/sku", CodeTooManyProducts, "The project has 10000 products that were created for unknown SKUs. Describe some of them first.")
			}
		}
	}
	return nil
}

// resolve checks an item against its product.
func resolve(d *FactDraft, f *Fact, ref Ref, product Product) {
	if ref == (Ref{}) || d.hasProblem(CodeTooManyProducts) {
		return // none, or refused already
	}
	if !product.Exists() {
		pointer := "/product_id"
		if ref.SKU != "" {
			pointer = "/sku"
		}
		d.Refuse(pointer, CodeUnknownProduct, fmt.Sprintf("There is no product with %s.", ref))
	}
	f.ProductID, f.SKU, f.Product = product.ID, ref.SKU, product.N
}

func (d *FactDraft) hasProblem(code string) bool {
	for _, p := range d.Problems {
		if p.Code == code {
			return true
		}
	}
	return false
}
