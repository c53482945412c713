// Package stats defines the counters of the rollups. The table in this file is the only list of them in Go: folding,
// storing, rebuilding, reading and the API loop over it.
//
// A new counter needs a line in this table, its columns in a migration, and its field in openapi.yaml. Package reconcile
// keeps a list of its own on purpose, because it checks what this one leads to.
package stats

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Counter is a column of the rollups, and its index in Counts.
type Counter int

// The counters, in the order of the table.
const (
	Events       Counter = iota // events of all types; purchases are not among them
	Views                       // events of TypeView
	Clicks                      // events of TypeClick
	AddToCarts                  // events of TypeAddToCart
	Purchases                   // purchases
	Units                       // units bought
	RevenueMinor                // sum of the purchases' amounts, in minor units of the products' currencies
	numCounters
)

// The event types with a counter of their own. The rollups count events of other types by the name of the type.
const (
	TypeView      = "view"
	TypeClick     = "click"
	TypeAddToCart = "add_to_cart"

	anyType = "*" // no event has this type: ingest refuses it
)

// table says for each counter where it is stored and what it counts.
var table = [numCounters]struct {
	column    string                                  // in the tables and views of the schemas stats and shadow; also the field in the API
	eventType string                                  // counts events of this type; empty for a counter of purchases
	purchase  func(quantity, amountMinor int64) int64 // what a purchase adds; nil for a counter of events
}{
	Events:       {column: "events", eventType: anyType},
	Views:        {column: "views", eventType: TypeView},
	Clicks:       {column: "clicks", eventType: TypeClick},
	AddToCarts:   {column: "add_to_carts", eventType: TypeAddToCart},
	Purchases:    {column: "purchases", purchase: func(_, _ int64) int64 { return 1 }},
	Units:        {column: "units", purchase: func(quantity, _ int64) int64 { return quantity }},
	RevenueMinor: {column: "revenue_minor", purchase: func(_, amountMinor int64) int64 { return amountMinor }},
}

// Column returns the name of the counter's column and of its field in the API.
func (c Counter) Column() string { return table[c].column }

// Columns returns the columns of all counters, in their order.
func Columns() []string {
	columns := make([]string, len(table))
	for i, c := range table {
		columns[i] = c.column
	}
	return columns
}

// Counts has a value for each counter.
type Counts [numCounters]int64

// OfEvent returns what one event of a type counts. Custom reports that the type has no counter of its own.
func OfEvent(eventType string) (counts Counts, custom bool) {
	custom = true
	for i := range table {
		switch c := &table[i]; {
		case c.purchase != nil:
		case c.eventType == anyType:
			counts[i] = 1
		case c.eventType == eventType:
			counts[i] = 1
			custom = false
		}
	}
	return counts, custom
}

// OfPurchase returns what one purchase counts.
func OfPurchase(quantity, amountMinor int64) (counts Counts) {
	for i := range table {
		if count := table[i].purchase; count != nil {
			counts[i] = count(quantity, amountMinor)
		}
	}
	return counts
}

// ErrTooLarge is the error of a sum that does not fit into 64 bits.
var ErrTooLarge = errors.New("a counter exceeds 2^63-1")

// Add adds o to c. Counters are never negative. A sum that is too large is ErrTooLarge and stays at the largest value.
func (c *Counts) Add(o *Counts) (err error) {
	for i, n := range o {
		if n > math.MaxInt64-c[i] {
			c[i], err = math.MaxInt64, ErrTooLarge
			continue
		}
		c[i] += n
	}
	return err
}

// Pointers returns pointers to the values, in the order of Columns, for a row to be scanned into.
func (c *Counts) Pointers() []any {
	pointers := make([]any, len(c))
	for i := range c {
		pointers[i] = &c[i]
	}
	return pointers
}

// String lists the values that are not 0 by column.
func (c Counts) String() string {
	var parts []string
	for i, n := range c {
		if n != 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", table[i].column, n))
		}
	}
	return "{" + strings.Join(parts, " ") + "}"
}
