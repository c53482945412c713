// Package order is the domain of orders and refunds: which ones are accepted, what they cost, and how much of an order can
// still be paid back. A purchase is an order of one line.
//
// Orders and refunds are known by their id for ever. A retry is recognized before anything else about it is checked: what it
// says is compared by its hash, without the times that a client may stamp anew each time (ContentHash).
package order

import (
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
)

// Limits of what one request may carry; openapi.yaml states them.
const (
	MaxLines      = 2000      // of one order or refund
	MaxBytes      = 512 << 10 // decoded bytes of one order or refund
	MaxBatchLines = 10_000    // of all orders of a bulk request

	maxQuantity    = 1_000_000
	maxAmountMinor = 1_000_000_000_000 // of a line, and of an order
	maxReason      = 1000              // characters
)

// Hash is the SHA-256 of what a client sent.
type Hash = [sha256.Size]byte

// Key identifies an order or a refund for ever.
type Key struct {
	Project int16
	ID      uuid.UUID
}

// Order is an accepted order.
type Order struct {
	Key
	Number      string // the client's own id, if it is no UUID
	User        int64  // ingest.users.n; 0 for nobody: the user was erased
	Epoch       int64  // event.User.Epoch
	UserID      string // empty if only AnonymousID is known, or nobody
	AnonymousID string
	TS          time.Time // UTC, in microseconds
	Currency    string
	Properties  []byte // a JSON object, or nil
	Lines       []Line
	ContentHash Hash
	Idempotency *IdempotencyKey // may be nil

	// Known once it is stored.
	Batch      int64
	ReceivedAt time.Time
}

// AmountMinor is what was paid for all lines.
func (o *Order) AmountMinor() (sum int64) {
	for i := range o.Lines {
		sum += o.Lines[i].AmountMinor
	}
	return sum
}

// RefundedMinor is what was paid back of all lines.
func (o *Order) RefundedMinor() (sum int64) {
	for i := range o.Lines {
		sum += o.Lines[i].RefundedMinor
	}
	return sum
}

// Line is a line of an order. Its number is its index in the order plus 1.
type Line struct {
	Product   int32 // catalog.products.n
	ProductID uuid.UUID
	// SKU is that of the product. A new order is stored only while the product has it, so its answer needs no further read.
	SKU         string
	Quantity    int64
	AmountMinor int64
	// ListPrice is the price of one unit that AmountMinor was computed from; nil if the sender was free to name the amount.
	// The order is stored only while this is the price of the product in the order's currency.
	ListPrice *int64

	RefundedUnits int64
	RefundedMinor int64
}

// LeftUnits is how many units can still be returned.
func (l *Line) LeftUnits() int64 { return l.Quantity - l.RefundedUnits }

// LeftMinor is what can still be paid back.
func (l *Line) LeftMinor() int64 { return l.AmountMinor - l.RefundedMinor }

// IdempotencyKey identifies one request in a project.
type IdempotencyKey struct {
	Project   int16
	Principal string // empty for keys and members of the project, who share their keys; the account of a guest
	Key       string
	BodyHash  Hash // of the request's content, times excepted
}
