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
	Events     Counter = iota // events of all names; orders and refunds are not among them
	Views                     // events named view
	Clicks                    // events named click
	AddToCarts                // events named add_to_cart
	Purchases                 // orders; of a product: orders with a line of it
	Units                     // units bought
	numCounters
)

// Name is the number of the name of an event (ingest.names.n). Those with a counter of their own have the same number in all
// projects. Other names have numbers from FirstName.
type Name = int16

// The names with a counter of their own.
const (
	View      Name = 1
	Click     Name = 2
	AddToCart Name = 3

	FirstName Name = 16

	anyName Name = 0 // no event has it
)

// How many names with numbers from FirstName a project has at most, and how many of these make it nearly full, so that people are warned.
const (
	MaxNames   = 10_000
	NearlyFull = MaxNames * 8 / 10
)

// NameOf returns the number of a name that has a counter of its own.
func NameOf(name string) (n Name, ok bool) {
	switch name {
	case "view":
		return View, true
	case "click":
		return Click, true
	case "add_to_cart":
		return AddToCart, true
	}
	return anyName, false
}

// table says for each counter where it is stored and what it counts.
var table = [numCounters]struct {
	column string                                // in the tables and views of the schemas stats and shadow; also the field in the API
	event  Name                                  // counts events of this name
	line   func(units int64, firstOf bool) int64 // what a line of an order adds; nil for a counter of events
}{
	Events:     {column: "events", event: anyName},
	Views:      {column: "views", event: View},
	Clicks:     {column: "clicks", event: Click},
	AddToCarts: {column: "add_to_carts", event: AddToCart},
	Purchases:  {column: "purchases", line: func(_ int64, first bool) int64 { return one(first) }},
	Units:      {column: "units", line: func(units int64, _ bool) int64 { return units }},
}

func one(first bool) int64 {
	if first {
		return 1
	}
	return 0
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

// OfEvent returns what one event counts. Custom reports that its name has no counter of its own.
func OfEvent(name Name) (counts Counts, custom bool) {
	custom = true
	for i := range table {
		switch c := &table[i]; {
		case c.line != nil:
		case c.event == anyName:
			counts[i] = 1
		case c.event == name:
			counts[i] = 1
			custom = false
		}
	}
	return counts, custom
}

// OfLine returns what a line of an order counts. First says that no earlier line of the order counts in the same row.
func OfLine(units int64, first bool) (counts Counts) {
	for i := range table {
		if count := table[i].line; count != nil {
			counts[i] = count(units, first)
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
