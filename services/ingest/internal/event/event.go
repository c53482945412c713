// Package event is the domain of events: what one is, which ones are accepted, and how they are recorded. Package order builds on
// it for orders and refunds.
package event

import (
	"time"

	"github.com/google/uuid"
)

// Limits of what one request may carry; openapi.yaml states them.
const (
	MaxBatch      = 1000     // events in one bulk request
	MaxBatchBytes = 5 << 20  // decoded bytes of a bulk request
	MaxBytes      = 32 << 10 // decoded bytes of one event
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
	Epoch     int64 // User.Epoch
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

// Product is what ingest needs to know of a product.
type Product struct {
	ID         uuid.UUID
	N          int32 // catalog.products.n
	SKU        string
	PriceMinor int64
	Currency   string
	// Prices are those in further currencies. The map must not be changed.
	Prices map[string]int64
	// Placeholder says that nobody has described it yet. It has no price.
	Placeholder bool
}

// Exists reports whether there is such a product.
func (p Product) Exists() bool { return p.ID != uuid.Nil }

// Price returns the price of one unit in a currency, if the product has one.
func (p Product) Price(currency string) (minor int64, ok bool) {
	switch {
	case p.Placeholder:
		return 0, false
	case currency == p.Currency:
		return p.PriceMinor, true
	default:
		minor, ok = p.Prices[currency]
		return minor, ok
	}
}

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
