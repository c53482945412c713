package order

import (
	"strconv"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// Draft is an order as it was sent: decoded, but not checked against the rules.
type Draft struct {
	event.FactDraft
	// Purchase says that the order was sent as a purchase: its line is the body itself, and it needs no currency.
	Purchase   bool
	Currency   string
	Properties []byte
	Replaced   bool // characters of Properties were replaced, because they cannot be stored
	Clamped    bool // the order is stored at another time than TS, which is too far ahead
	Lines      []LineDraft
	Reason     string // of a refund without an order
}

// LineDraft is a line of an order or a refund as it was sent.
type LineDraft struct {
	Sent, Good  event.Fields
	ProductID   uuid.UUID
	SKU         string
	Line        int64 // of a refund
	Quantity    int64
	AmountMinor int64
}

// Has reports whether one of fields was sent with a value that could be read.
func (l *LineDraft) Has(fields event.Fields) bool { return l.Good&fields != 0 }

// RefundDraft is a refund as it was sent.
type RefundDraft struct {
	event.FactDraft
	Reason      string
	AmountMinor int64
	Clamped     bool // as of Draft
	Lines       []LineDraft
}

// fact returns the line as an item of its own, with no problems.
func (l *LineDraft) fact() event.FactDraft {
	return event.FactDraft{Sent: l.Sent, Good: l.Good, ProductID: l.ProductID, SKU: l.SKU}
}

// pointer returns the JSON pointer of a line.
func (d *Draft) pointer(i int) string {
	if d.Purchase {
		return ""
	}
	return "/lines/" + strconv.Itoa(i)
}

// adopt notes the problems of a line, whose pointers are within the line.
func adopt(d *event.FactDraft, pointer string, line *event.FactDraft) {
	for _, p := range line.Problems {
		d.Refuse(pointer+p.Pointer, p.Code, p.Detail)
	}
}
