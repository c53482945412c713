package order

import (
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// Refund is an accepted refund of an order, or of no known one.
type Refund struct {
	Key
	Number      string    // as Order.Number
	Order       uuid.UUID // uuid.Nil for none; then User, Currency and Lines are known at once
	TS          time.Time
	Reason      string
	Request     []RefundItem // what the sender wants back; empty for AmountMinor
	AmountMinor *int64       // without Request: an amount to distribute, or nil for all that is left
	ContentHash Hash

	// Known once it is stored.
	OrderNumber string // Order.Number
	User        int64  // of the order, if there is one
	Epoch       int64  // event.User.Epoch; that of a refund of an order is read with the order
	Currency    string
	Lines       []RefundLine
	Batch       int64
	ReceivedAt  time.Time
}

// OrderKey identifies the order.
func (r *Refund) OrderKey() Key { return Key{Project: r.Project, ID: r.Order} }

// TotalMinor is what is paid back for all lines.
func (r *Refund) TotalMinor() (sum int64) {
	for i := range r.Lines {
		sum += r.Lines[i].AmountMinor
	}
	return sum
}

// RefundItem asks for something back of one line, or of the lines with one product.
type RefundItem struct {
	Line        int64 // its number in the order; 0 if Product names the lines
	Product     event.Ref
	Quantity    *int64 // nil and AmountMinor nil: all that is left
	AmountMinor *int64 // nil: in proportion to Quantity
}

// RefundLine is what a refund gives back of one line of the order, or of a product.
type RefundLine struct {
	Line        int16 // its number in the order; without an order, in the refund
	Product     int32
	ProductID   uuid.UUID
	SKU         string
	Units       int64 // 0 for an amount alone
	AmountMinor int64
}
