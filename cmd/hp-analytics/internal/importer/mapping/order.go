package mapping

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// order reads a line of an order, or of a return: then the fact is of kind Refunds.
func (r reader) order(f *Fact) error {
	f.Number = r.get(fieldOrder) // first, so that a bad line is known to belong to it
	if err := r.line(f, true); err != nil {
		return err
	}
	isReturn := r.Returns.Prefix != "" && strings.HasPrefix(f.Number, r.Returns.Prefix)
	return f.settle(isReturn, r.Returns)
}

// line reads who, when, what and for how much. Units and amount may be negative.
func (r reader) line(f *Fact, complete bool) (err error) {
	if err := r.who(f); err != nil {
		return err
	}
	f.SKU = r.get(fieldSKU)
	if f.SKU == "" && complete {
		return errors.New("sku is missing")
	}
	text := r.get(fieldQuantity)
	if text != "" || complete {
		if f.Units, err = strconv.ParseInt(strings.TrimSuffix(r.plain(text), ".0"), 10, 64); err != nil {
			return fmt.Errorf("quantity must be an integer, not %q", text)
		}
	}
	if r.get(fieldUnitPrice)+r.get(fieldAmount)+r.get(fieldAmountMinor) == "" && !complete {
		return nil
	}
	currency, err := r.currency()
	if err != nil {
		return err
	}
	f.Currency = currency.String()
	decimal, n := fieldAmount, int64(1)
	if r.has(fieldUnitPrice) {
		decimal, n = fieldUnitPrice, f.Units
	}
	minor, err := r.minor(decimal, fieldAmountMinor, currency, n)
	f.AmountMinor = &minor
	return err
}

// settle decides whether a line is a sale or a return, and makes its numbers positive.
func (f *Fact) settle(isReturn bool, returns Returns) error {
	units, amount := f.Units, *f.AmountMinor
	switch {
	case units == 0:
		return errors.New("quantity is 0")
	case units < 0 && amount > 0:
		return errors.New("the quantity and the price are both negative")
	case isReturn:
	case units < 0 && returns.NegativeQuantity == refuse:
		return errors.New("quantity is negative; if that is a return, say so in the mapping (returns.negative_quantity)")
	case units > 0 && amount < 0 && returns.NegativePrice == refuse:
		return errors.New("the amount is negative; if it was paid back, say so in the mapping (returns.negative_price)")
	case units > 0 && amount >= 0:
		return nil
	case units > 0:
		units = 0 // money was paid back, and no goods came back
	}
	f.Kind, f.Units = Refunds, max(units, -units)
	amount = max(amount, -amount)
	f.AmountMinor = &amount
	return nil
}

// refund reads a refund: of an order that it names, or of no order.
func (r reader) refund(f *Fact) error {
	f.Order, f.Number, f.Reason = r.get(fieldOrder), r.get(fieldID), r.get(fieldReason)
	ofOrder := f.Order != ""
	withoutUser := r
	if ofOrder && !r.has(fieldUser) && !r.has(fieldAnonymous) {
		lenient := *r.Mapping
		lenient.MissingUser = anonymous // the order has the user
		withoutUser.Mapping = &lenient
	}
	if err := withoutUser.line(f, !ofOrder); err != nil {
		return err
	}
	f.Units = max(f.Units, -f.Units)
	if f.AmountMinor != nil {
		amount := max(*f.AmountMinor, -*f.AmountMinor)
		f.AmountMinor = &amount
	}
	return nil
}
