// Package rollup folds raw rows into deltas of the rollups. It only counts: package postgres reads the rows and stores the
// deltas.
package rollup

import (
	"bytes"
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
)

// Day is a UTC day, as the number of days since 1970-01-01.
type Day int32

const microsecondsPerDay = 24 * 60 * 60 * 1_000_000

// DayOf returns the UTC day of t.
func DayOf(t time.Time) Day {
	micros := t.UnixMicro()
	day := micros / microsecondsPerDay
	if micros%microsecondsPerDay < 0 {
		day-- // division rounds toward zero, but a day before 1970 begins at its midnight, too
	}
	return Day(day)
}

// Time returns the start of the day.
func (d Day) Time() time.Time { return time.UnixMicro(int64(d) * microsecondsPerDay).UTC() }

// Event has the fields of a raw event that are counted.
type Event struct {
	ProductID uuid.UUID
	Day       Day
	UserID    string
	Type      string
}

// Purchase has the fields of a raw purchase that are counted.
type Purchase struct {
	ProductID   uuid.UUID
	Day         Day
	UserID      string
	Quantity    int64
	AmountMinor int64
}

// The keys of rollup rows, apart from the lane.
type (
	// ProductDay is the key of a product's counts.
	ProductDay struct {
		ProductID uuid.UUID
		Day       Day
	}
	// UserDay is the key of a user's counts.
	UserDay struct {
		UserID string
		Day    Day
	}
	// ProductTypeDay is the key of the count of a custom event type.
	ProductTypeDay struct {
		ProductID uuid.UUID
		Day       Day
		Type      string
	}
	// TypeDay is the key of the count of a custom event type over all products.
	TypeDay struct {
		Day  Day
		Type string
	}
)

// Deltas are what a set of raw rows adds to the rollups.
type Deltas struct {
	products     map[ProductDay]*stats.Counts
	users        map[UserDay]*stats.Counts
	days         map[Day]*stats.Counts
	types        map[ProductTypeDay]int64
	dayTypes     map[TypeDay]int64
	productUsers map[ProductDay]*sketch.Sketch
	dayUsers     map[Day]*sketch.Sketch
	bytes        int // see Bytes
	err          error
}

// Err returns stats.ErrTooLarge when a sum does not fit into 64 bits. The deltas are wrong then and must not be stored.
func (d *Deltas) Err() error { return d.err }

// New returns the deltas of no rows.
func New() *Deltas {
	return &Deltas{
		products:     map[ProductDay]*stats.Counts{},
		users:        map[UserDay]*stats.Counts{},
		days:         map[Day]*stats.Counts{},
		types:        map[ProductTypeDay]int64{},
		dayTypes:     map[TypeDay]int64{},
		productUsers: map[ProductDay]*sketch.Sketch{},
		dayUsers:     map[Day]*sketch.Sketch{},
	}
}

// AddEvent counts an event.
func (d *Deltas) AddEvent(e Event) {
	counts, custom := stats.OfEvent(e.Type)
	d.add(e.ProductID, e.UserID, e.Day, &counts)
	if custom {
		before := len(d.types)
		d.types[ProductTypeDay{e.ProductID, e.Day, e.Type}]++
		if len(d.types) > before {
			d.bytes += typeBytes + len(e.Type)
		}
		d.dayTypes[TypeDay{e.Day, e.Type}]++
	}
}

// AddPurchase counts a purchase.
func (d *Deltas) AddPurchase(p Purchase) {
	counts := stats.OfPurchase(p.Quantity, p.AmountMinor)
	d.add(p.ProductID, p.UserID, p.Day, &counts)
}

// add adds the counts of a row to its product, its user and its day, and the user to the sketches.
func (d *Deltas) add(product uuid.UUID, user string, day Day, counts *stats.Counts) {
	hash := sketch.Hash(user)
	productDay := ProductDay{product, day}
	at(d.productUsers, productDay, sketch.New).InsertHash(hash)
	at(d.dayUsers, day, sketch.New).InsertHash(hash)
	ofProduct := at(d.products, productDay, zero)
	before := len(d.users)
	for _, sum := range []*stats.Counts{ofProduct, at(d.users, UserDay{user, day}, zero), at(d.days, day, zero)} {
		if err := sum.Add(counts); err != nil {
			d.err = err
		}
	}
	if len(d.users) > before {
		d.bytes += userBytes + len(user)
	}
	switch rows := ofProduct[stats.Events] + ofProduct[stats.Purchases]; {
	case rows == 1:
		d.bytes += productBytes
	case rows <= sketchRows:
		d.bytes += sketchBytes / sketchRows
	}
}

func zero() *stats.Counts { return new(stats.Counts) }

// at returns the value of key, which it makes if there is none.
func at[K comparable, V any](m map[K]V, key K, make func() V) V {
	v, ok := m[key]
	if !ok {
		v = make()
		m[key] = v
	}
	return v
}

// The approximate bytes of an entry of each map: key, value and the map's overhead. The sketch of a product grows with its
// rows, from a short list of users to sketchBytes.
const (
	productBytes = 600
	userBytes    = 200
	typeBytes    = 200
	sketchBytes  = 4096
	sketchRows   = 256 // after which a sketch is taken to have its full size
)

// MaxRowBytes is what one row adds to Bytes at most: with its user and its type, of up to 256 bytes together.
const MaxRowBytes = productBytes + userBytes + typeBytes + 256

// Bytes returns an upper estimate of the memory that the deltas take.
func (d *Deltas) Bytes() int { return d.bytes }

// Empty reports whether there is nothing to add.
func (d *Deltas) Empty() bool { return len(d.days) == 0 }

// Products yields the counts per product and day. Like the methods below it yields them in the order of the key: all writers
// lock rows in this order, so they cannot deadlock.
func (d *Deltas) Products() iter.Seq2[ProductDay, *stats.Counts] {
	return sorted(d.products, compareProductDay)
}

// Users yields the counts per user and day.
func (d *Deltas) Users() iter.Seq2[UserDay, *stats.Counts] { return sorted(d.users, compareUserDay) }

// Days yields the counts per day.
func (d *Deltas) Days() iter.Seq2[Day, *stats.Counts] { return sorted(d.days, cmp.Compare[Day]) }

// Types yields the number of events of custom types per product and day.
func (d *Deltas) Types() iter.Seq2[ProductTypeDay, int64] {
	return sorted(d.types, compareProductTypeDay)
}

// DayTypes yields the number of events of custom types per day.
func (d *Deltas) DayTypes() iter.Seq2[TypeDay, int64] { return sorted(d.dayTypes, compareTypeDay) }

// ProductUsers yields the sketches of users per product and day.
func (d *Deltas) ProductUsers() iter.Seq2[ProductDay, *sketch.Sketch] {
	return sorted(d.productUsers, compareProductDay)
}

// DayUsers yields the sketches of users per day.
func (d *Deltas) DayUsers() iter.Seq2[Day, *sketch.Sketch] {
	return sorted(d.dayUsers, cmp.Compare[Day])
}

// sorted yields a map in the order of its keys.
func sorted[K comparable, V any](m map[K]V, compare func(a, b K) int) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, key := range slices.SortedFunc(maps.Keys(m), compare) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}

func compareProductDay(a, b ProductDay) int {
	return cmp.Or(bytes.Compare(a.ProductID[:], b.ProductID[:]), cmp.Compare(a.Day, b.Day))
}

func compareUserDay(a, b UserDay) int {
	return cmp.Or(cmp.Compare(a.UserID, b.UserID), cmp.Compare(a.Day, b.Day))
}

func compareTypeDay(a, b TypeDay) int {
	return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Type, b.Type))
}

func compareProductTypeDay(a, b ProductTypeDay) int {
	return cmp.Or(bytes.Compare(a.ProductID[:], b.ProductID[:]), cmp.Compare(a.Day, b.Day), cmp.Compare(a.Type, b.Type))
}
