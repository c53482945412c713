package tally

import (
	"time"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/demo/shop"
)

// Tally counts the facts of one shop. The users of a product are counted exactly, with a bit for each user.
type Tally struct {
	Products []Counts // by index of shop.Products
	Users    []Counts // by number of the user; what they did without a product included
	Days     []Counts // of all products, from the first day on; without UniqueUsers
	Totals   Counts   // of all products; UniqueUsers adds up those of the products

	SignUps     []time.Time // when users signed up
	SignedUp    int64       // how many users did
	SignUpUsers []int64     // how many users did on each day

	shop       *shop.Shop
	visited    []bits // the users of each product
	signed     bits
	signedDays []bits // by day
}

// New returns an empty tally of s.
func New(s *shop.Shop) *Tally {
	return &Tally{
		Products:    make([]Counts, len(s.Products)),
		Users:       make([]Counts, s.Users),
		Days:        make([]Counts, s.Days),
		SignUpUsers: make([]int64, s.Days),
		shop:        s,
		visited:     make([]bits, len(s.Products)),
		signedDays:  make([]bits, s.Days),
	}
}

// Add counts one fact, and its refund if it has one.
func (t *Tally) Add(f shop.Fact) {
	c := counts(f)
	t.Users[f.User].Add(c)
	t.Users[f.User].UniqueUsers = 1
	if f.Product == shop.NoProduct {
		t.signUp(f)
		return
	}
	t.Days[t.shop.DayOf(f.At)].Add(c)
	if t.visited[f.Product].set(f.User, len(t.Users)) {
		c.UniqueUsers = 1
	}
	t.Products[f.Product].Add(c)
	t.Totals.Add(c)
	if f.Refund != nil {
		t.refund(f, *f.Refund)
	}
}

// refund counts what comes back, on its own day.
func (t *Tally) refund(f shop.Fact, r shop.Refund) {
	c := in(f.Currency, Money{RefundedMinor: r.PaidMinor})
	t.Users[f.User].Add(c)
	t.Days[t.shop.DayOf(r.At)].Add(c)
	t.Products[f.Product].Add(c)
	t.Totals.Add(c)
}

func (t *Tally) signUp(f shop.Fact) {
	t.SignUps = append(t.SignUps, f.At)
	if t.signed.set(f.User, len(t.Users)) {
		t.SignedUp++
	}
	if day := t.shop.DayOf(f.At); t.signedDays[day].set(f.User, len(t.Users)) {
		t.SignUpUsers[day]++
	}
}

// counts returns the counts of one fact, without the user and the refund.
func counts(f shop.Fact) Counts {
	if f.IsPurchase() {
		c := in(f.Currency, Money{GrossMinor: f.PaidMinor, Orders: 1, Units: f.Quantity})
		c.Purchases, c.Units = 1, f.Quantity
		return c
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

// in returns counts with money in one currency, the net amount included.
func in(currency string, m Money) (c Counts) {
	m.NetMinor = m.GrossMinor - m.RefundedMinor
	if currency == shop.Yen {
		c.Yen = m
	} else {
		c.Euro = m
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
