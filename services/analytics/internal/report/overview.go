package report

import (
	"time"

	"github.com/hp-analytics/hp-analytics/internal/stats"
)

// Overview has the numbers of a project.
type Overview struct {
	Series

	Range      Range
	Complete   bool // the range ended before the watermark
	Previous   Period
	Change     Changes
	Conversion Conversion
	Meta       Meta
}

// Period is the range of equal length before another.
type Period struct {
	Range    Range
	Complete bool // it ended before the watermark
	Totals   Counts
}

// Before returns the range of equal length that ends the day before r begins.
func (r Range) Before() Range {
	return Range{From: r.From.AddDate(0, 0, -r.Days()), To: r.From.AddDate(0, 0, -1)}
}

// NewOverview returns the overview of a range from what is stored of it and of the range before.
func NewOverview(c Calendar, r Range, interval Interval, stored, before Stored, meta Meta) (Overview, error) {
	over := func(r Range) bool { return !c.Ends(r.To).After(meta.CompleteUntil) }
	o := Overview{Range: r, Complete: over(r), Previous: Period{Range: r.Before(), Complete: over(r.Before())}, Meta: meta}
	var err error
	if o.Series, err = NewSeries(c, r, interval, stored, meta.CompleteUntil); err != nil {
		return Overview{}, err
	}
	previous, err := NewSeries(c, o.Previous.Range, Daily, before, time.Time{})
	if err != nil {
		return Overview{}, err
	}
	o.Previous.Totals = previous.Totals
	o.Conversion = conversionOf(o.Totals)
	o.Change, err = changesOf(o.Totals, o.Previous)
	return o, err
}

// Change is how a number differs from that of the previous period.
type Change struct {
	Absolute *int64   // nil if the previous period is not complete
	Relative *float64 // to the previous number; nil if that is not positive or its period not complete
}

// Changes are the changes of counts.
type Changes struct {
	Counters [len(stats.Counts{})]Change
	Users    Change
	Revenue  []AmountChange // sorted by currency; of the currencies of either period
}

// AmountChange is the change of money in one currency.
type AmountChange struct {
	Currency                            string
	Gross, Refunded, Net, Orders, Units Change
}

func changesOf(now Counts, before Period) (changes Changes, err error) {
	of := func(n, base int64) (c Change) {
		if !before.Complete {
			return c
		}
		difference := n - base
		if (difference < n) != (base > 0) { // it does not fit into 64 bits, as only net amounts can differ
			err = ErrTooLarge
			return c
		}
		c.Absolute = &difference
		if base > 0 {
			relative := float64(difference) / float64(base)
			c.Relative = &relative
		}
		return c
	}
	for i, n := range now.Counts {
		changes.Counters[i] = of(n, before.Totals.Counts[i])
	}
	changes.Users = of(now.Users.Number, before.Totals.Users.Number)
	var either Revenue
	for _, a := range append(append(Revenue{}, now.Revenue...), before.Totals.Revenue...) {
		if err := either.Add(a.Currency, stats.Money{}); err != nil {
			return changes, err
		}
	}
	for _, a := range either {
		n, base := now.Revenue.In(a.Currency), before.Totals.Revenue.In(a.Currency)
		changes.Revenue = append(changes.Revenue, AmountChange{
			Currency: a.Currency,
			Gross:    of(n.GrossMinor, base.GrossMinor), Refunded: of(n.RefundedMinor, base.RefundedMinor),
			Net: of(n.NetMinor(), base.NetMinor()), Orders: of(n.Orders, base.Orders), Units: of(n.Units, base.Units),
		})
	}
	return changes, err
}

// Conversion is the way from a view to a purchase. Each ratio is of two numbers of the same range, nil without anything to
// divide by.
type Conversion struct {
	Views, AddToCarts, Purchases                                                 int64
	AddToCartsPerView, PurchasesPerAddToCart, PurchasesPerView, PurchasesPerUser *float64
}

func conversionOf(c Counts) Conversion {
	per := func(n, base int64) *float64 {
		if base == 0 {
			return nil
		}
		ratio := float64(n) / float64(base)
		return &ratio
	}
	views, carts, purchases := c.Counts[stats.Views], c.Counts[stats.AddToCarts], c.Counts[stats.Purchases]
	return Conversion{
		Views: views, AddToCarts: carts, Purchases: purchases,
		AddToCartsPerView: per(carts, views), PurchasesPerAddToCart: per(purchases, carts),
		PurchasesPerView: per(purchases, views), PurchasesPerUser: per(purchases, c.Users.Number),
	}
}
