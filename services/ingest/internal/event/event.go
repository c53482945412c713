// Package event is the domain of ingest: what an event and a purchase are, which ones are accepted, and how they are
// recorded.
package event

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// Limits of what one request may carry; openapi.yaml states them.
const (
	MaxBatch      = 1000     // events in one bulk request
	MaxBatchBytes = 5 << 20  // decoded bytes of a bulk request
	MaxBytes      = 32 << 10 // decoded bytes of one event, and of a purchase
)

// Fact is the common part of events and purchases: a user did something with a product at some time. Owner, ID and TS
// together are its identity: a fact that is sent twice is stored once.
type Fact struct {
	Owner     int64 // of the account that the caller acts for, by OwnerOf
	ID        uuid.UUID
	TS        time.Time // UTC, truncated to the microseconds that the database keeps, so that a retry has the same identity
	ProductID uuid.UUID
	SKU       string // by which the sender named the product; empty if by its id
	UserID    string
}

// ref returns how the sender named the product.
func (f *Fact) ref() Ref {
	if f.SKU != "" {
		return Ref{SKU: f.SKU}
	}
	return Ref{ID: f.ProductID}
}

// Identity identifies an item: two items with the same identity are stored once.
type Identity struct {
	Owner int64
	ID    uuid.UUID
	TS    time.Time
}

// OwnerOf returns the number that stands for an account: the first 8 bytes of the SHA-256 of its id. Accounts have their own
// ids of events and purchases, so nobody can take an id before its sender uses it. Two of a billion accounts share a number
// with a probability of 3 %, and then they share their ids only.
func OwnerOf(account string) int64 {
	sum := sha256.Sum256([]byte(account))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// Event is an accepted event.
type Event struct {
	Fact
	Type       string
	Properties []byte // a JSON object, or nil
}

// Purchase is an accepted purchase. BatchID and ReceivedAt are known once it is stored.
type Purchase struct {
	Fact
	Quantity    int64
	AmountMinor int64
	Currency    string
	BatchID     uuid.UUID
	ReceivedAt  time.Time
}

// Product is what ingest needs to know of a product.
type Product struct {
	ID         uuid.UUID
	Archived   bool
	PriceMinor int64
	Currency   string
}

// Exists reports whether there is such a product.
func (p Product) Exists() bool { return p.ID != uuid.Nil }

// Ref names a product by id or by SKU; exactly one of the two is set.
type Ref struct {
	ID  uuid.UUID
	SKU string
}

// String describes the product for error texts.
func (r Ref) String() string {
	if r.SKU != "" {
		return "the SKU " + r.SKU
	}
	return "the id " + r.ID.String()
}
