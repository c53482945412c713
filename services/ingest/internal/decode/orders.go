package decode

import (
	"fmt"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// Purchase reads the one purchase that data holds, with errors as for Event.
func Purchase(data []byte) (order.Draft, error) { return one(data, (*scanner).purchase) }

// Order reads the one order that data holds, with errors as for Event. Properties share data's memory.
func Order(data []byte) (order.Draft, error) { return one(data, (*scanner).order) }

// Refund reads the one refund that data holds, with errors as for Event.
func Refund(data []byte) (order.RefundDraft, error) { return one(data, (*scanner).refund) }

// StandaloneRefund reads the one refund without an order that data holds, with errors as for Event.
func StandaloneRefund(data []byte) (order.Draft, error) {
	return one(data, (*scanner).standaloneRefund)
}

// one reads the one item that data holds.
func one[D any](data []byte, item func(*scanner, *D) error) (D, error) {
	s := scanner{data: unmarked(data)}
	var d D
	err := item(&s, &d)
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return d, malformed(err)
	}
	return d, nil
}

// purchase reads a purchase into d.
func (s *scanner) purchase(d *order.Draft) error {
	d.Purchase, d.Lines = true, make([]order.LineDraft, 1)
	line := event.FactDraft{} // the fields of the line, which are among those of the purchase
	err := s.item(&d.FactDraft, func(name []byte) error {
		if string(name) == "currency" {
			return s.string(&d.FactDraft, event.FieldCurrency, "currency", &d.Currency)
		}
		if known, err := s.lineField(&line, &d.Lines[0], name); known {
			adopt(&d.FactDraft, "", &line)
			return err
		}
		return s.buyer(&d.FactDraft, name)
	})
	d.Lines[0].Sent, d.Lines[0].Good = line.Sent, line.Good
	return err
}

// order reads an order into d.
func (s *scanner) order(d *order.Draft) error {
	return s.item(&d.FactDraft, func(name []byte) error {
		switch string(name) {
		case "currency":
			return s.string(&d.FactDraft, event.FieldCurrency, "currency", &d.Currency)
		case "properties":
			return s.properties(&d.FactDraft, &d.Properties, &d.Replaced)
		case "lines":
			return s.lines(&d.FactDraft, &d.Lines, false)
		default:
			return s.buyer(&d.FactDraft, name)
		}
	})
}

// refund reads a refund into d.
func (s *scanner) refund(d *order.RefundDraft) error {
	return s.item(&d.FactDraft, func(name []byte) error {
		switch string(name) {
		case "reason":
			return s.string(&d.FactDraft, event.FieldReason, "reason", &d.Reason)
		case "amount_minor":
			return s.integer(&d.FactDraft, event.FieldAmount, "amount_minor", &d.AmountMinor)
		case "lines":
			return s.lines(&d.FactDraft, &d.Lines, true)
		default:
			return s.moment(&d.FactDraft, name)
		}
	})
}

// standaloneRefund reads a refund without an order into d.
func (s *scanner) standaloneRefund(d *order.Draft) error {
	return s.item(&d.FactDraft, func(name []byte) error {
		switch string(name) {
		case "currency":
			return s.string(&d.FactDraft, event.FieldCurrency, "currency", &d.Currency)
		case "reason":
			return s.string(&d.FactDraft, event.FieldReason, "reason", &d.Reason)
		case "lines":
			return s.lines(&d.FactDraft, &d.Lines, false)
		default:
			return s.buyer(&d.FactDraft, name)
		}
	})
}

// buyer reads a field that purchases and orders share.
func (s *scanner) buyer(d *event.FactDraft, name []byte) error {
	switch string(name) {
	case "user_id":
		return s.string(d, event.FieldUserID, "user_id", &d.UserID)
	case "anonymous_id":
		return s.string(d, event.FieldAnonymousID, "anonymous_id", &d.AnonymousID)
	default:
		return s.moment(d, name)
	}
}

// moment reads a field that refunds share with them.
func (s *scanner) moment(d *event.FactDraft, name []byte) error {
	switch string(name) {
	case "id":
		return s.id(d)
	case "ts":
		return s.time(d, event.FieldTS, "ts", &d.TS)
	case "sent_at":
		return s.time(d, event.FieldSentAt, "sent_at", &d.SentAt)
	default:
		refuseUnknown(d, name)
		return s.skip(1)
	}
}

// lines reads the lines of an order or a refund. Those beyond the most that it may have are only scanned.
func (s *scanner) lines(d *event.FactDraft, lines *[]order.LineDraft, numbered bool) error {
	if isNull, err := s.null(); isNull {
		return err
	}
	first := begin(d, event.FieldLines, "lines")
	if s.peek() != '[' {
		if first {
			d.Refuse("/lines", event.CodeWrongType, "lines must be an array.")
		}
		return s.skip(1)
	}
	if first {
		d.Good |= event.FieldLines
	}
	n := 0
	err := s.array(func() error {
		n++
		if !first || n > order.MaxLines || d.Full() {
			s.peek()
			return s.skip(1)
		}
		*lines = append(*lines, order.LineDraft{})
		return s.line(d, fmt.Sprintf("/lines/%d", n-1), &(*lines)[n-1], numbered)
	})
	if first && n > order.MaxLines {
		d.Refuse("/lines", order.CodeTooManyLines, fmt.Sprintf("lines must have at most %d elements.", order.MaxLines))
	}
	return err
}

func (s *scanner) line(d *event.FactDraft, pointer string, l *order.LineDraft, numbered bool) error {
	var line event.FactDraft
	err := s.item(&line, func(name []byte) error {
		if numbered && string(name) == "line" {
			return s.integer(&line, event.FieldLine, "line", &l.Line)
		}
		if known, err := s.lineField(&line, l, name); known {
			return err
		}
		refuseUnknown(&line, name)
		return s.skip(1)
	})
	adopt(d, pointer, &line)
	l.Sent, l.Good = line.Sent, line.Good
	return err
}

// lineField reads a field of a line. It is not known if the line has no such field.
func (s *scanner) lineField(line *event.FactDraft, l *order.LineDraft, name []byte) (known bool, err error) {
	switch string(name) {
	case "product_id":
		return true, s.uuid(line, event.FieldProductID, "product_id", &l.ProductID)
	case "sku":
		return true, s.string(line, event.FieldSKU, "sku", &l.SKU)
	case "quantity":
		return true, s.integer(line, event.FieldQuantity, "quantity", &l.Quantity)
	case "amount_minor":
		return true, s.integer(line, event.FieldAmount, "amount_minor", &l.AmountMinor)
	}
	return false, nil
}

// adopt moves the problems of a line to its item.
func adopt(d *event.FactDraft, pointer string, line *event.FactDraft) {
	for _, p := range line.Problems {
		d.Refuse(pointer+p.Pointer, p.Code, p.Detail)
	}
	line.Problems = nil
}
