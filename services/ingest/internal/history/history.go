// Package history defines what is read of raw rows: pages of events, the timeline of a user, and exports of days. It is
// independent of how rows are stored and served.
package history

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// User is the user of a row: a user id, or an anonymous id that was not identified when the row was stored.
type User struct {
	ID        string
	Anonymous bool
}

// Product is the product of a row. The zero Product is none.
type Product struct {
	ID  uuid.UUID
	SKU string
}

// Receipt says in which batch a row was stored.
type Receipt struct {
	Batch      int64
	ReceivedAt *time.Time // nil if the receipt of an event is no longer kept
}

// Event is a raw event.
type Event struct {
	ID         uuid.UUID
	TS         time.Time
	Type       string
	User       User
	Product    Product
	Receipt    Receipt
	Properties json.RawMessage // nil for none
}

// Line is a line of an order or of a refund.
type Line struct {
	Number        int16
	Product       Product
	Units         int64 // bought, or returned
	AmountMinor   int64 // paid, or paid back
	RefundedUnits int64 // of an order: returned until now
	RefundedMinor int64 // of an order: paid back until now
}

// Order is a raw order.
type Order struct {
	ID         uuid.UUID
	Number     string // the client's id if it is no UUID
	TS         time.Time
	User       User
	Currency   string
	Lines      []Line
	Receipt    Receipt
	Properties json.RawMessage // nil for none
}

// Refund is a raw refund.
type Refund struct {
	ID       uuid.UUID
	Order    uuid.UUID // zero for none
	TS       time.Time
	User     User
	Currency string
	Reason   string // empty for none
	Lines    []Line
	Receipt  Receipt
}

// Item is a row of a timeline: an event, an order or a refund.
type Item struct {
	Position Position
	Event    *Event
	Order    *Order
	Refund   *Refund
}

// Page is a part of a list, newest first.
type Page struct {
	Items []Item
	// Next is where the rest begins, nil if there is none. It can be set when the page has fewer items than were asked for, or
	// none: then as many rows were examined as one request may.
	Next *Position
}

// Query says which events to read, newest first. Empty fields do not filter.
type Query struct {
	Project   int16
	User      User
	ProductID uuid.UUID
	SKU       string
	Type      string
	Range     Range
	After     *Position // Next of the page before
	Limit     int
}

// Timeline says of which user to read events, orders and refunds, newest first.
type Timeline struct {
	Project int16
	UserID  string
	Range   Range
	After   *Position
	Limit   int
}

// Export says which rows of a day to read, oldest first.
type Export struct {
	Project int16
	Range   Range
	After   *Mark // the last row that was read before
}

// Begin returns an instant that no row to be read is before.
func (e Export) Begin() time.Time {
	if e.After != nil {
		return e.After.TS
	}
	return e.Range.From
}
