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

// maxProblems is from how many problems of a request on each further refused item has its first one only.
const maxProblems = 2000

// Refusal is a problem of an item that was not written. Its pointer is one into the item, empty for the item as a whole.
type Refusal struct {
	Index int
	errs.Field
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
		b.Refuse(index, problems{{Pointer: "/sku", Code: "duplicate_sku", Detail: "An earlier item has the SKU " + normal + "."}}.err())
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
	const rule = "must be given. There is no product with this SKU yet, and a new one needs it"
	var missing problems
	missing.check(i.Patch.Name != nil, "name", "required", rule)
	missing.check(i.Patch.PriceMinor != nil, "price_minor", "required", rule)
	missing.check(i.Patch.Currency != nil, "currency", "required", rule)
	if err := missing.err(); err != nil {
		return Product{}, err
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

// Refuse notes why the item at index is not written: all its problems, or the error as a whole. Refusals are kept in the order of the
// request.
func (b *Bulk) Refuse(index int, err error) {
	fields := []errs.Field{{Code: errs.CodeOf(err)}}
	if e, ok := errors.AsType[*errs.Error](err); ok {
		fields[0].Detail = e.Detail
		if len(e.Fields) > 0 {
			fields = e.Fields
		}
	}
	if len(b.Refusals) >= maxProblems {
		fields = fields[:1]
	}
	refusals := make([]Refusal, len(fields))
	for i, field := range fields {
		refusals[i] = Refusal{index, field}
	}
	at, _ := slices.BinarySearchFunc(b.Refusals, index, func(r Refusal, index int) int { return cmp.Compare(r.Index, index) })
	b.Refusals = slices.Insert(b.Refusals, at, refusals...)
}
