package order

import (
	"fmt"
	"slices"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
)

// Plan works out what a refund gives back of each line of its order, and takes it from what is left of them in o. A refund of
// nobody's order loses its reason. If it returns an error, o is in no certain state: nothing of the refund may be stored.
func (r *Refund) Plan(o *Order) error {
	p := plan{order: o, units: make([]int64, len(o.Lines)), amount: make([]int64, len(o.Lines))}
	var err error
	switch {
	case len(r.Request) > 0:
		err = p.items(r.Request)
	case r.AmountMinor != nil:
		err = p.distribute("/amount_minor", *r.AmountMinor, p.all())
	default:
		err = p.whole()
	}
	if err != nil {
		return err
	}
	r.User, r.Currency, r.Lines = o.User, o.Currency, p.lines()
	if o.User == 0 {
		r.Reason = "" // it would be what is known about a person who was erased
	}
	return nil
}

// plan is a refund while it is worked out.
type plan struct {
	order         *Order
	units, amount []int64 // that go back, by index of the line
}

// take gives back units and an amount of a line, which are left of it.
func (p *plan) take(i int, units, amount int64) {
	p.order.Lines[i].RefundedUnits += units
	p.order.Lines[i].RefundedMinor += amount
	p.units[i] += units
	p.amount[i] += amount
}

func (p *plan) all() []int {
	all := make([]int, len(p.order.Lines))
	for i := range all {
		all[i] = i
	}
	return all
}

// whole gives back all that is left.
func (p *plan) whole() error {
	if units, amount := p.left(p.all()); units == 0 && amount == 0 {
		return tooLarge("", "Nothing is left of the order: all of it was refunded.")
	}
	p.takeAll(p.all())
	return nil
}

func (p *plan) takeAll(lines []int) {
	for _, i := range lines {
		p.take(i, p.order.Lines[i].LeftUnits(), p.order.Lines[i].LeftMinor())
	}
}

// left returns what is left of some lines.
func (p *plan) left(lines []int) (units, amount int64) {
	for _, i := range lines {
		units += p.order.Lines[i].LeftUnits()
		amount += p.order.Lines[i].LeftMinor()
	}
	return units, amount
}

// distribute gives back an amount in proportion to what is left of each line.
func (p *plan) distribute(pointer string, amount int64, lines []int) error {
	if _, left := p.left(lines); amount > left {
		return tooLarge(pointer, fmt.Sprintf("%d %s can be paid back at most, in minor units, and not %d.", left, p.order.Currency, amount))
	}
	shares := make([]int64, len(lines))
	for n, i := range lines {
		shares[n] = p.order.Lines[i].LeftMinor()
	}
	for n, part := range allocate(amount, shares) {
		p.take(lines[n], 0, part)
	}
	return nil
}

func (p *plan) items(items []RefundItem) error {
	for n := range items {
		if err := p.item(fmt.Sprintf("/lines/%d", n), &items[n]); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) item(pointer string, item *RefundItem) error {
	lines := p.named(item)
	if len(lines) == 0 {
		return errs.New(errs.Invalid, CodeNotInOrder, "The order has no such line.",
			errs.Field{Pointer: pointer, Code: CodeNotInOrder, Detail: "The order has no such line."})
	}
	if item.Quantity == nil && item.AmountMinor == nil {
		if units, amount := p.left(lines); units == 0 && amount == 0 {
			return tooLarge(pointer, "Nothing is left of it: all of it was refunded.")
		}
		p.takeAll(lines)
		return nil
	}
	if item.Quantity != nil {
		if err := p.returnUnits(pointer+"/quantity", *item.Quantity, item.AmountMinor == nil, lines); err != nil {
			return err
		}
	}
	if item.AmountMinor != nil {
		return p.distribute(pointer+"/amount_minor", *item.AmountMinor, lines)
	}
	return nil
}

// returnUnits takes units from the lines in their order. With paid, each brings its part of what is left to be paid back of its
// line, rounded down; the last unit brings all the rest.
func (p *plan) returnUnits(pointer string, units int64, paid bool, lines []int) error {
	if left, _ := p.left(lines); units > left {
		return tooLarge(pointer, fmt.Sprintf("%d units can be returned at most, and not %d.", left, units))
	}
	for _, i := range lines {
		line := &p.order.Lines[i]
		n := min(units, line.LeftUnits())
		if n == 0 {
			continue
		}
		var amount int64
		if paid {
			amount = line.LeftMinor() / line.LeftUnits() * n
			amount += line.LeftMinor() % line.LeftUnits() * n / line.LeftUnits() // maxQuantity² fits
		}
		p.take(i, n, amount)
		units -= n
	}
	return nil
}

// named returns the lines of an item.
func (p *plan) named(item *RefundItem) (lines []int) {
	for i := range p.order.Lines {
		line := &p.order.Lines[i]
		switch {
		case item.Line != 0:
			if item.Line == int64(i+1) {
				lines = append(lines, i)
			}
		case item.Product.SKU != "":
			if item.Product.SKU == line.SKU {
				lines = append(lines, i)
			}
		case item.Product.ID == line.ProductID:
			lines = append(lines, i)
		}
	}
	return lines
}

// lines returns what goes back, without the lines of which nothing does.
func (p *plan) lines() []RefundLine {
	lines := make([]RefundLine, 0, len(p.order.Lines))
	for i := range p.order.Lines {
		line := &p.order.Lines[i]
		lines = append(lines, RefundLine{
			Line: int16(i + 1), Product: line.Product, ProductID: line.ProductID, SKU: line.SKU,
			Units: p.units[i], AmountMinor: p.amount[i],
		})
	}
	return slices.DeleteFunc(lines, func(l RefundLine) bool { return l.Units == 0 && l.AmountMinor == 0 })
}

// tooLarge is the error of a refund of more than is left of its order.
func tooLarge(pointer, detail string) error {
	return errs.New(errs.Invalid, CodeRefundTooLarge, detail, errs.Field{Pointer: pointer, Code: CodeRefundTooLarge, Detail: detail})
}
