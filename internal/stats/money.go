package stats

import "math"

// Money is what was earned in one currency. Amounts are in its minor units.
type Money struct {
	GrossMinor    int64 // of orders
	RefundedMinor int64 // of refunds
	Orders        int64 // of a product: orders with a line of it
	Units         int64 // bought
	RefundedUnits int64 // returned
}

// MoneyColumns returns the columns of the fields, in their order.
func MoneyColumns() []string {
	return []string{"gross_minor", "refunded_minor", "orders", "units", "refunded_units"}
}

// Pointers returns pointers to the fields, in the order of MoneyColumns, for a row to be scanned into.
func (m *Money) Pointers() []any {
	return []any{&m.GrossMinor, &m.RefundedMinor, &m.Orders, &m.Units, &m.RefundedUnits}
}

// Values returns the fields, in the order of MoneyColumns.
func (m *Money) Values() []int64 {
	return []int64{m.GrossMinor, m.RefundedMinor, m.Orders, m.Units, m.RefundedUnits}
}

// NetMinor is what was earned after refunds. It is negative when more was paid back than earned in the time.
func (m *Money) NetMinor() int64 { return m.GrossMinor - m.RefundedMinor }

// Add adds o to m. No field is ever negative. A sum that is too large is ErrTooLarge and stays at the largest value.
func (m *Money) Add(o Money) (err error) {
	add := func(sum *int64, n int64) {
		if n > math.MaxInt64-*sum {
			*sum, err = math.MaxInt64, ErrTooLarge
			return
		}
		*sum += n
	}
	add(&m.GrossMinor, o.GrossMinor)
	add(&m.RefundedMinor, o.RefundedMinor)
	add(&m.Orders, o.Orders)
	add(&m.Units, o.Units)
	add(&m.RefundedUnits, o.RefundedUnits)
	return err
}

// OfOrderLine returns what a line of an order earns. First is as for OfLine.
func OfOrderLine(units, amountMinor int64, first bool) Money {
	return Money{GrossMinor: amountMinor, Units: units, Orders: one(first)}
}

// OfRefundLine returns what a line of a refund pays back.
func OfRefundLine(units, amountMinor int64) Money {
	return Money{RefundedMinor: amountMinor, RefundedUnits: units}
}
