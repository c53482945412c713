package product

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/hp-analytics/hp-analytics/internal/identifier"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// Item is one product of a bulk request.
type Item struct {
	Index int    // position in the request
	SKU   string // in normal form
	Patch Patch
}

// Refusal says why an item was not written.
type Refusal struct {
	Index  int
	Code   string
	Detail string
}

// Bulk is a bulk request from its decoding to the answer: the handler adds items, and the store writes them and counts the
// outcomes. Each item is in one of the counts or refused.
type Bulk struct {
	Items       []Item // with distinct SKUs
	Created     int
	Updated     int // without those that were reactivated
	Reactivated int
	Unchanged   int
	Archived    int       // of the items that were not refused: archived now
	Changed     []Product // those that were updated or reactivated, as they are now
	Refusals    []Refusal
	seen        map[string]struct{}
}

// Add adds an item, or refuses it if no product can have its SKU or an earlier item has it.
func (b *Bulk) Add(index int, sku string, patch Patch) {
	normal, err := identifier.Text(sku)
	if err != nil {
		var found problems
		found.checkSKU("/sku", err)
		b.Refuse(index, found.err())
		return
	}
	if _, taken := b.seen[normal]; taken {
		b.Refuse(index, errs.New(errs.Invalid, "duplicate_sku", "An earlier item has the SKU "+normal+"."))
		return
	}
	if b.seen == nil {
		b.seen = make(map[string]struct{})
	}
	b.seen[normal] = struct{}{}
	b.Items = append(b.Items, Item{Index: index, SKU: normal, Patch: patch})
}

// Next returns the product with the item's SKU as it will be: old after the patch, or a new product if old is nil.
func (i Item) Next(old *Product) (Product, error) {
	if old != nil {
		return i.Patch.Apply(*old)
	}
	for _, member := range []struct {
		name  string
		given bool
	}{
		{"name", i.Patch.Name != nil}, {"price_minor", i.Patch.PriceMinor != nil}, {"currency", i.Patch.Currency != nil},
	} {
		if !member.given {
			return Product{}, errs.New(errs.Invalid, "required", member.name+" is missing. There is no product with this SKU yet, and a new one needs it.")
		}
	}
	return i.Patch.Apply(Product{Content: Content{SKU: i.SKU}, Status: Active})
}

// Same reports whether a write of other would leave p as it is.
func (p Product) Same(other Product) bool {
	return p.SKU == other.SKU && p.Name == other.Name && p.Description == other.Description && p.Category == other.Category &&
		p.PriceMinor == other.PriceMinor && p.Currency == other.Currency && maps.Equal(p.Prices, other.Prices) &&
		p.Status == other.Status && p.Placeholder == other.Placeholder && sameAttributes(p.Attributes, other.Attributes)
}

// Count adds the outcome of an item: a product is now, which was old before, or new if old is nil.
func (b *Bulk) Count(old *Product, now Product) {
	if now.Status == Archived {
		b.Archived++
	}
	switch {
	case old == nil:
		b.Created++
		return
	case old.Version == now.Version:
		b.Unchanged++
		return
	case old.Status == Archived && now.Status == Active:
		b.Reactivated++
	default:
		b.Updated++
	}
	b.Changed = append(b.Changed, now)
}

// Refuse notes why the item at index is not written. Refusals are kept in the order of the request.
func (b *Bulk) Refuse(index int, err error) {
	refusal := Refusal{Index: index, Code: errs.CodeOf(err)}
	if e, ok := errors.AsType[*errs.Error](err); ok {
		refusal.Detail = e.Detail
		if len(e.Fields) > 0 { // the first problem is more specific than the summary
			refusal.Code, refusal.Detail = e.Fields[0].Code, e.Fields[0].Detail
		}
	}
	at, _ := slices.BinarySearchFunc(b.Refusals, index, func(r Refusal, index int) int { return cmp.Compare(r.Index, index) })
	b.Refusals = slices.Insert(b.Refusals, at, refusal)
}
