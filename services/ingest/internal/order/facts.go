package order

import (
	"time"

	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
)

// AppendFacts adds what the lines of the order count to a batch with the given base.
func (o *Order) AppendFacts(data []byte, base time.Time) []byte {
	counted := make(map[int32]struct{}, len(o.Lines)) // the products of earlier lines
	for i := range o.Lines {
		l := &o.Lines[i]
		_, again := counted[l.Product]
		counted[l.Product] = struct{}{}
		data = facts.AppendLine(data, base, facts.Line{
			TS: o.TS, User: o.User, Product: l.Product, Currency: [3]byte([]byte(o.Currency)),
			Units: l.Quantity, AmountMinor: l.AmountMinor, First: i == 0, FirstOf: !again,
		})
	}
	return data
}

// AppendFacts does the same for the lines of a refund.
func (r *Refund) AppendFacts(data []byte, base time.Time) []byte {
	counted := make(map[int32]struct{}, len(r.Lines))
	for i := range r.Lines {
		l := &r.Lines[i]
		_, again := counted[l.Product]
		counted[l.Product] = struct{}{}
		data = facts.AppendLine(data, base, facts.Line{
			TS: r.TS, User: r.User, Product: l.Product, Currency: [3]byte([]byte(r.Currency)),
			Units: l.Units, AmountMinor: l.AmountMinor, First: i == 0, FirstOf: !again,
		})
	}
	return data
}
