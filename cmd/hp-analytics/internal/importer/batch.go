package importer

import (
	"context"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/importer/group"
)

// The limits of a request. They are below those of the API, which count the bytes of JSON.
const (
	maxItems = 1000
	maxFacts = 5000
	maxBytes = 4 << 20
	perFact  = 200 // for the names of fields, which JSON repeats
)

// batch is what goes into the next request.
type batch struct {
	items []group.Item
	ids   map[string]struct{}
	facts int
	bytes int
}

func (b *batch) take() []group.Item {
	items := b.items
	*b = batch{}
	return items
}

// fits reports whether one more item fits. No two with one id do, because nobody could say which of them is the first.
func (b *batch) fits(i group.Item) bool {
	_, twice := b.ids[i.ID]
	return len(b.items) == 0 || !twice && len(b.items) < maxItems && b.facts+len(i.Facts) <= maxFacts && b.bytes+size(i) <= maxBytes
}

func (b *batch) add(i group.Item) {
	if b.ids == nil {
		b.ids = make(map[string]struct{}, maxItems)
	}
	b.ids[i.ID] = struct{}{}
	b.items, b.facts, b.bytes = append(b.items, i), b.facts+len(i.Facts), b.bytes+size(i)
}

func size(i group.Item) int {
	n := 0
	for _, row := range i.Rows {
		n += len(row.Text) + perFact
	}
	return n
}

// collect adds an item to the batch of its kind, which is delivered first if it is full. An item with a reason is refused here.
func (r *run) collect(ctx, sending context.Context, ready chan<- []group.Item, i group.Item) error {
	if i.Reason != "" {
		r.progress.add(len(i.Rows))
		return r.state.settle([]group.Item{i}, []Outcome{{Refused, i.Reason}})
	}
	b, ok := r.batches[i.Kind]
	if !ok {
		b = &batch{}
		r.batches[i.Kind] = b
	}
	if !b.fits(i) {
		if err := deliver(ctx, sending, ready, b.take()); err != nil {
			return err
		}
	}
	b.add(i)
	return nil
}

// deliver hands items to a goroutine that sends them, unless the import was interrupted or cannot go on.
func deliver(ctx, sending context.Context, ready chan<- []group.Item, items []group.Item) error {
	if len(items) == 0 {
		return nil
	}
	select {
	case ready <- items:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-sending.Done():
		return context.Cause(sending)
	}
}
