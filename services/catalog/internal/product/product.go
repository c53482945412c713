// Package product holds the rules of the catalog: what a product is, what its content may be, how a merge patch changes
// it, and how a list of products is paged.
package product

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// Status says whether lists of active products show a product. What happens to an archived product is counted all the same.
type Status string

// The statuses. An archived product keeps its history and can be made active again.
const (
	Active   Status = "active"
	Archived Status = "archived"
)

// Product is a product as it is stored.
type Product struct {
	ID uuid.UUID // version 7, so that new rows land at the end of the primary key
	Content
	Status      Status
	Placeholder bool  // created for an unknown SKU of an event, and not described since
	Version     int64 // 1 when created, plus one for each change
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Content is the part of a product that its owner writes.
type Content struct {
	SKU         string // unique in the project, in the normal form of identifier.Text
	Name        string
	Description string
	Category    string
	PriceMinor  int64
	Currency    string           // of PriceMinor
	Prices      map[string]int64 // in minor units of further currencies
	Attributes  json.RawMessage  // a JSON object
}

// Change returns p after an edit, or an error that leaves it as it was.
type Change func(p Product) (Product, error)

// SKUTaken is the error of giving a product the SKU of another.
func SKUTaken(sku string) *errs.Error {
	return errs.New(errs.Conflict, "sku_taken", "There is already a product with the SKU "+sku+".")
}
