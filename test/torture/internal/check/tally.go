package check

import (
	"time"

	"github.com/google/uuid"
)

// counts are the numbers of one row of a rollup, in the order of its columns.
type counts [6]int64

func (n *counts) add(o counts) {
	for i := range n {
		n[i] += o[i]
	}
}

// ofEvent returns what an event counts: events, views, clicks and add_to_carts.
func ofEvent(name string) counts {
	switch name {
	case "view":
		return counts{1, 1}
	case "click":
		return counts{1, 0, 1}
	case "add_to_cart":
		return counts{1, 0, 0, 1}
	}
	return counts{1}
}

// rollup is a table of counts by key, and by day or hour.
type rollup map[[2]string]counts

func (r rollup) add(key, at string, n counts) {
	sum := r[[2]string{key, at}]
	sum.add(n)
	r[[2]string{key, at}] = sum
}

// tally is the clients' own count of everything.
type tally struct {
	zone                           *time.Location
	days, hours, products, users   rollup
	names, productNames            rollup
	money, productMoney, userMoney rollup
}

func (c *Checker) tally() *tally {
	t := &tally{
		zone: c.Zone, days: rollup{}, hours: rollup{}, products: rollup{}, users: rollup{}, names: rollup{}, productNames: rollup{},
		money: rollup{}, productMoney: rollup{}, userMoney: rollup{},
	}
	t.events(c)
	t.orders(c)
	t.refunds(c)
	return t
}

// at returns the day and the hour of ts as the clocks of the zone show them.
func (t *tally) at(ts time.Time) (day, hour string) {
	local := ts.In(t.zone)
	return local.Format(time.DateOnly), local.Format("2006-01-02 15")
}

func (t *tally) events(c *Checker) {
	for _, e := range c.Account.Events {
		day, hour := t.at(e.TS)
		n := ofEvent(e.Type)
		t.days.add("", day, n)
		t.hours.add("", hour, n)
		t.users.add(e.UserID, day, n)
		t.names.add(e.Type, day, counts{1})
		if e.ProductID == uuid.Nil {
			continue
		}
		t.products.add(e.ProductID.String(), day, n)
		if n == (counts{1}) {
			t.productNames.add(e.ProductID.String()+" "+e.Type, day, counts{1})
		}
	}
}

// orders counts lines: purchases and units, and in money gross amounts, orders and units.
func (t *tally) orders(c *Checker) {
	for _, o := range c.wanted() {
		day, hour := t.at(o.TS)
		seen := map[uuid.UUID]bool{}
		for i, l := range o.Lines {
			product := l.ProductID.String()
			ofOrder, ofProduct := one(i == 0), one(!seen[l.ProductID])
			seen[l.ProductID] = true
			t.days.add("", day, counts{4: ofOrder, 5: l.Quantity})
			t.hours.add("", hour, counts{4: ofOrder, 5: l.Quantity})
			t.users.add(o.UserID, day, counts{4: ofOrder, 5: l.Quantity})
			t.products.add(product, day, counts{4: ofProduct, 5: l.Quantity})
			t.money.add(o.Currency, day, counts{0: l.AmountMinor, 2: ofOrder, 3: l.Quantity})
			t.userMoney.add(o.UserID+" "+o.Currency, day, counts{0: l.AmountMinor, 2: ofOrder, 3: l.Quantity})
			t.productMoney.add(product+" "+o.Currency, day, counts{0: l.AmountMinor, 2: ofProduct, 3: l.Quantity})
		}
	}
}

// refunds counts refunded amounts and units.
func (t *tally) refunds(c *Checker) {
	for _, r := range c.Account.Refunds {
		day, _ := t.at(r.TS)
		o := c.Account.Orders[r.OrderID]
		for number, back := range r.Lines {
			n := counts{1: back.AmountMinor, 4: back.Units}
			t.money.add(o.Currency, day, n)
			t.userMoney.add(o.UserID+" "+o.Currency, day, n)
			t.productMoney.add(o.Lines[number-1].ProductID.String()+" "+o.Currency, day, n)
		}
	}
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
