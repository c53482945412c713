package decode

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// OrderKind is the form in which a bulk request has orders.
type OrderKind struct {
	name     string // of the array in a document
	item     func(*scanner, *order.Draft) error
	maxBytes int // of one
}

// Purchases is the form of purchases.
func Purchases() OrderKind {
	return OrderKind{name: "purchases", item: (*scanner).purchase, maxBytes: event.MaxBytes}
}

// Orders is the form of orders.
func Orders() OrderKind {
	return OrderKind{name: "orders", item: (*scanner).order, maxBytes: order.MaxBytes}
}

// Refunds is the form of refunds without an order, whose drafts are those of orders.
func Refunds() OrderKind {
	return OrderKind{name: "refunds", item: (*scanner).standaloneRefund, maxBytes: order.MaxBytes}
}

var errTooManyOrders = errs.New(errs.TooLarge, "batch_too_large",
	fmt.Sprintf("A batch holds at most %d items with %d lines in all.", event.MaxBatch, order.MaxBatchLines))

// Document reads the document {"orders": […]}, with the name of the kind. Each order that is an element of it gets a draft; a
// document of another shape is an Invalid error. Properties share data's memory.
func (k OrderKind) Document(data []byte) ([]order.Draft, error) {
	s := scanner{data: unmarked(data), names: new(names)}
	b := orderBatch{kind: k}
	err := b.document(&s)
	if err == nil {
		err = s.end()
	}
	switch {
	case errors.Is(err, errTooManyOrders):
		return nil, errTooManyOrders
	case errors.Is(err, errEnough):
		return nil, event.Refusal(b.shape.Problems)
	case err != nil:
		return nil, malformed(err)
	case b.shape.Refused():
		return nil, event.Refusal(b.shape.Problems)
	}
	return b.all()
}

// Lines reads one order from each line of NDJSON. A line that is not JSON or too long is refused in its draft. Properties share
// data's memory.
func (k OrderKind) Lines(data []byte) ([]order.Draft, error) {
	b, strings := orderBatch{kind: k}, new(names)
	for line := range bytes.Lines(unmarked(data)) {
		if line = bytes.Trim(line, " \t\r\n"); len(line) == 0 {
			continue
		}
		s := scanner{data: line, names: strings}
		syntax, err := b.add(&s)
		switch {
		case err != nil:
			return nil, err
		case syntax == nil:
			syntax = s.end()
		}
		if syntax != nil {
			b.refuse(event.CodeMalformed, fmt.Sprintf("The line is not valid JSON: %s.", syntax))
		}
	}
	return b.all()
}

// orderBatch is the orders of a bulk request while they are read.
type orderBatch struct {
	kind   OrderKind
	shape  event.FactDraft // holds the problems of the document itself
	drafts []order.Draft
	lines  int // of all of them
	spare  spare
}

func (b *orderBatch) all() ([]order.Draft, error) {
	if len(b.drafts) == 0 {
		return nil, errs.New(errs.Invalid, "empty_batch", "The batch is empty.",
			errs.Field{Pointer: "/" + b.kind.name, Code: "empty_batch", Detail: "Must hold at least one element."})
	}
	return b.drafts, nil
}

func (b *orderBatch) document(s *scanner) error {
	name := b.kind.name
	if s.peek() != '{' {
		b.shape.Refuse("", event.CodeWrongType, "The body must be a JSON object with the field "+name+".")
		return s.skip(1)
	}
	seen := false
	err := s.object(func(member []byte) error {
		switch {
		case b.shape.Full():
			return errEnough // the document is refused, so its end does not matter
		case string(member) != name:
			refuseUnknown(&b.shape, member)
			return s.skip(1)
		case seen:
			b.shape.Refuse("/"+name, event.CodeDuplicateField, name+" is there twice.")
			return s.skip(1)
		}
		seen = true
		if s.peek() != '[' {
			b.shape.Refuse("/"+name, event.CodeWrongType, name+" must be an array.")
			return s.skip(1)
		}
		return s.array(func() error {
			syntax, err := b.add(s)
			return errors.Join(syntax, err)
		})
	})
	if err == nil && !seen {
		b.shape.Refuse("/"+name, event.CodeRequired, name+" is required.")
	}
	return err
}

// add reads an order. err says that there are too many of them.
func (b *orderBatch) add(s *scanner) (syntax, err error) {
	if len(b.drafts) == event.MaxBatch {
		return nil, errTooManyOrders
	}
	b.drafts = append(b.drafts, order.Draft{})
	d := &b.drafts[len(b.drafts)-1]
	b.spare.give(&d.FactDraft)
	s.peek()
	start := s.pos
	if syntax = b.kind.item(s, d); syntax != nil {
		return syntax, nil
	}
	if s.pos-start > b.kind.maxBytes {
		b.refuse(event.CodeTooLarge, fmt.Sprintf("The item is larger than %d bytes.", b.kind.maxBytes))
	}
	b.spare.take(&d.FactDraft)
	if b.lines += len(d.Lines); b.lines > order.MaxBatchLines {
		return nil, errTooManyOrders
	}
	return nil, nil
}

// refuse refuses the last order as a whole.
func (b *orderBatch) refuse(code, detail string) {
	d := &b.drafts[len(b.drafts)-1]
	*d = order.Draft{Purchase: d.Purchase}
	d.RefuseWhole(code, detail)
}
