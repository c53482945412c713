package tally

import (
	"time"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/shop"
)

// Tally counts the facts of one shop. The users of a product are counted exactly, with a bit for each user.
type Tally struct {
	Products []Counts // by index of shop.Products
	Users    []Counts // by number of the user
	Days     []Counts // from the first day on; without UniqueUsers
	Totals   Counts   // of all products; UniqueUsers adds up those of the products

	from    time.Time
	visited []bits // the users of each product
}

// New returns an empty tally of s.
func New(s *shop.Shop) *Tally {
	return &Tally{
		Products: make([]Counts, len(s.Products)),
		Users:    make([]Counts, s.Users),
		Days:     make([]Counts, s.Days),
		from:     s.From,
		visited:  make([]bits, len(s.Products)),
	}
}

// Add counts one fact.
func (t *Tally) Add(f shop.Fact) {
	c := counts(f)
	t.Days[int(f.At.Sub(t.from)/(24*time.Hour))].Add(c)
	t.Users[f.User].Add(c)
	t.Users[f.User].UniqueUsers = 1
	if t.visited[f.Product].set(f.User, len(t.Users)) {
		c.UniqueUsers = 1
	}
	t.Products[f.Product].Add(c)
	t.Totals.Add(c)
}

// counts returns the counts of one fact, without the user.
func counts(f shop.Fact) Counts {
	if f.IsPurchase() {
		return Counts{Purchases: 1, Units: f.Quantity, RevenueMinor: f.PaidMinor}
	}
	c := Counts{Events: 1}
	switch f.Type {
	case shop.View:
		c.Views = 1
	case shop.Click:
		c.Clicks = 1
	case shop.AddToCart:
		c.AddToCarts = 1
	}
	return c
}

// bits is a set of small numbers. It needs no memory while it is empty.
type bits []uint64

// set adds n, which must be less than size, and reports whether it was absent.
func (b *bits) set(n, size int) bool {
	if *b == nil {
		*b = make(bits, (size+63)/64)
	}
	word, bit := &(*b)[n/64], uint64(1)<<(n%64)
	isNew := *word&bit == 0
	*word |= bit
	return isNew
}
