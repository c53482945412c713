// Package event is the domain of ingest: what an event and a purchase are, which ones are accepted, and how they are
// recorded.
package event

import (
	"time"

	"github.com/google/uuid"
)

// Limits of what one request may carry; openapi.yaml states them.
const (
	MaxBatch      = 1000     // events in one bulk request
	MaxBatchBytes = 5 << 20  // decoded bytes of a bulk request
	MaxBytes      = 32 << 10 // decoded bytes of one event, and of a purchase
)

// Fact is the common part of events and orders: a user did something at some time, perhaps with a product. The texts are the
// names by which the sender knows things, and the numbers are those of the database.
type Fact struct {
	Project     int16
	ID          uuid.UUID
	TS          time.Time // UTC, truncated to the microseconds that the database keeps, so that a retry has the same identity
	Product     int32     // catalog.products.n; 0 for none
	ProductID   uuid.UUID
	SKU         string // by which the sender named the product; empty if by its id
	User        int64  // ingest.users.n
	UserID      string // empty if the sender named the anonymous id alone
	AnonymousID string
	// Anonymous is User.Anonymous.
	Anonymous int64
}

// ref returns how the sender named the product; the zero Ref if it named none.
func (f *Fact) ref() Ref {
	switch {
	case f.SKU != "":
		return Ref{Project: f.Project, SKU: f.SKU}
	case f.ProductID != uuid.Nil:
		return Ref{Project: f.Project, ID: f.ProductID}
	default:
		return Ref{}
	}
}

// user returns how the sender named the user.
func (f *Fact) user() UserRef { return UserRef{UserID: f.UserID, AnonymousID: f.AnonymousID} }

// Identity identifies an event: two events with the same identity are stored once.
type Identity struct {
	Project int16
	ID      uuid.UUID
	TS      time.Time
}

// Event is an accepted event.
type Event struct {
	Fact
	Type       string
	Name       int16  // ingest.names.n of Type
	Properties []byte // a JSON object, or nil
}

// Purchase is an accepted purchase. Batch and ReceivedAt are known once it is stored.
type Purchase struct {
	Fact
	Quantity    int64
	AmountMinor int64
	Currency    string
	Batch       int64 // ingest.batches.id
	ReceivedAt  time.Time
}

// Product is what ingest needs to know of a product.
type Product struct {
	ID         uuid.UUID
	N          int32 // catalog.products.n
	Archived   bool
	PriceMinor int64
	Currency   string
}

// Exists reports whether there is such a product.
func (p Product) Exists() bool { return p.ID != uuid.Nil }

// Ref names a product of a project by id or by SKU; exactly one of the two is set.
type Ref struct {
	Project int16
	ID      uuid.UUID
	SKU     string
}

// String describes the product for error texts.
func (r Ref) String() string {
	if r.SKU != "" {
		return "the SKU " + r.SKU
	}
	return "the id " + r.ID.String()
}
