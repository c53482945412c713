package shop

import (
	"encoding/binary"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
)

// NoProduct is the product of a fact that concerns none.
const NoProduct = -1

// Names of events. The first three have counters of their own on the platform, the others are counted by name. See also
// Shop.SignUp.
const (
	View      = "view"
	Click     = "click"
	AddToCart = "add_to_cart"
	Search    = "search"
	Wishlist  = "wishlist.add"
)

// Fact is one thing that a user did: an event or a purchase.
type Fact struct {
	ID      uuid.UUID // a UUIDv7 whose time is At
	At      time.Time // whole milliseconds, the resolution of ID
	Product int       // an index of Shop.Products, or NoProduct
	User    int       // see Shop.UserID

	// For events.
	Type       string
	Properties map[string]any

	// For purchases.
	Quantity   int64
	Currency   string
	PaidMinor  int64   // in total
	Discounted bool    // PaidMinor is not the price of Quantity units
	Refund     *Refund // what comes back later; nil for nothing
}

// Refund is what a user gets back of a purchase: all of it, or one unit of several.
type Refund struct {
	ID        uuid.UUID
	At        time.Time
	Quantity  int64
	PaidMinor int64
}

// IsPurchase reports whether f is a purchase and not an event.
func (f Fact) IsPurchase() bool { return f.Quantity > 0 }

// Facts generates everything that happens, roughly in chronological order: visits follow each other, although their times
// overlap. Each call generates the same facts.
func (s *Shop) Facts() iter.Seq[Fact] {
	return func(yield func(Fact) bool) {
		events := 0
		v := newVisits(s, func(f Fact) bool {
			if !f.IsPurchase() {
				if events == s.Events {
					return false
				}
				events++
			}
			return yield(f)
		})
		due, all := 0.0, busynessBetween(s.From, s.Until)
		for hour := s.From; hour.Before(s.Until); hour = hour.Add(time.Hour) {
			due += float64(s.Events) * busyness(hour) / all
			for events < s.Events && float64(events) < due {
				if !v.visit(hour) {
					return
				}
			}
		}
		for events < s.Events { // rounding may have lost a fraction of an event
			if !v.visit(s.Until.Add(-time.Hour)) {
				return
			}
		}
	}
}

// newID returns a UUIDv7 (RFC 9562, section 5.7) with the given time and repeatable random bits.
func newID(random *rand.Rand, at time.Time) uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|random.Uint64()&0xffff)
	binary.BigEndian.PutUint64(id[8:], random.Uint64())
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}
