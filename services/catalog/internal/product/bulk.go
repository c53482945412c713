package product

import (
	"cmp"
	"errors"
	"slices"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// Item is one product of a bulk request.
type Item struct {
	Index int // position in the request
	Content
}

// Refusal says why an item was not written.
type Refusal struct {
	Index  int
	Code   string
	Detail string
}

// Bulk is a bulk upsert from the request to the answer: the handler adds items, and the store writes the valid ones and
// counts the outcomes.
type Bulk struct {
	Items     []Item // valid, with distinct SKUs
	Created   int
	Unchanged int
	Updated   []Product // as they are now
	Refusals  []Refusal
	seen      map[string]struct{}
}

// Add adds an item, or refuses it if its content is invalid or an earlier item has its SKU.
func (b *Bulk) Add(item Item) {
	content, err := item.Validate()
	if err != nil {
		b.Refuse(item.Index, err)
		return
	}
	if _, taken := b.seen[content.SKU]; taken {
		b.Refuse(item.Index, errs.New(errs.Invalid, "duplicate_sku", "An earlier item has the SKU "+content.SKU+"."))
		return
	}
	if b.seen == nil {
		b.seen = make(map[string]struct{})
	}
	b.seen[content.SKU] = struct{}{}
	b.Items = append(b.Items, Item{Index: item.Index, Content: content})
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
