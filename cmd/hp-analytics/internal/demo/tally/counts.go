// Package tally counts the facts of a shop one by one. The platform's numbers are compared with it, so it shares no code
// with the platform.
package tally

// Money is what was earned in one currency, in its minor units.
type Money struct {
	GrossMinor    int64 `json:"gross_minor"`
	RefundedMinor int64 `json:"refunded_minor"`
	NetMinor      int64 `json:"net_minor"`
	Orders        int64 `json:"orders"`
	Units         int64 `json:"units"`
}

// Add adds o to m.
func (m *Money) Add(o Money) {
	m.GrossMinor += o.GrossMinor
	m.RefundedMinor += o.RefundedMinor
	m.NetMinor += o.NetMinor
	m.Orders += o.Orders
	m.Units += o.Units
}

// Counts are the counts of a product, user or day, as the platform's contract defines them.
type Counts struct {
	Events      int64 `json:"events"` // events of all names; purchases are not among them
	Views       int64 `json:"views"`
	Clicks      int64 `json:"clicks"`
	AddToCarts  int64 `json:"add_to_carts"`
	Purchases   int64 `json:"purchases"`
	Units       int64 `json:"units"`
	UniqueUsers int64 `json:"unique_users"`
	Euro        Money `json:"-"`
	Yen         Money `json:"-"`
}

// Add adds o to c. The sum of UniqueUsers is not a number of users, but it can still be compared.
func (c *Counts) Add(o Counts) {
	c.Events += o.Events
	c.Views += o.Views
	c.Clicks += o.Clicks
	c.AddToCarts += o.AddToCarts
	c.Purchases += o.Purchases
	c.Units += o.Units
	c.UniqueUsers += o.UniqueUsers
	c.Euro.Add(o.Euro)
	c.Yen.Add(o.Yen)
}

// Measure names one of the counts.
type Measure string

// The measures. Those of money have the currency behind the platform's name.
const (
	Events       Measure = "events"
	Views        Measure = "views"
	Clicks       Measure = "clicks"
	AddToCarts   Measure = "add_to_carts"
	Purchases    Measure = "purchases"
	Units        Measure = "units"
	GrossEuro    Measure = "gross_minor EUR"
	RefundedEuro Measure = "refunded_minor EUR"
	NetEuro      Measure = "net_minor EUR"
	OrdersEuro   Measure = "orders EUR"
	UnitsEuro    Measure = "units EUR"
	GrossYen     Measure = "gross_minor JPY"
	RefundedYen  Measure = "refunded_minor JPY"
	NetYen       Measure = "net_minor JPY"
	OrdersYen    Measure = "orders JPY"
	UnitsYen     Measure = "units JPY"
	UniqueUsers  Measure = "unique_users"
)

// Measures returns all measures in the order of the report.
func Measures() []Measure {
	return []Measure{
		Events, Views, Clicks, AddToCarts, Purchases, Units, GrossEuro, RefundedEuro, NetEuro, OrdersEuro, UnitsEuro,
		GrossYen, RefundedYen, NetYen, OrdersYen, UnitsYen, UniqueUsers,
	}
}

// Of returns the count of m.
func (m Measure) Of(c Counts) int64 {
	if field := m.Field(&c); field != nil {
		return *field
	}
	return 0
}

// Field returns the field of c that m names.
func (m Measure) Field(c *Counts) *int64 {
	return map[Measure]*int64{
		Events: &c.Events, Views: &c.Views, Clicks: &c.Clicks, AddToCarts: &c.AddToCarts, Purchases: &c.Purchases, Units: &c.Units,
		GrossEuro: &c.Euro.GrossMinor, RefundedEuro: &c.Euro.RefundedMinor, NetEuro: &c.Euro.NetMinor,
		OrdersEuro: &c.Euro.Orders, UnitsEuro: &c.Euro.Units,
		GrossYen: &c.Yen.GrossMinor, RefundedYen: &c.Yen.RefundedMinor, NetYen: &c.Yen.NetMinor,
		OrdersYen: &c.Yen.Orders, UnitsYen: &c.Yen.Units,
		UniqueUsers: &c.UniqueUsers,
	}[m]
}
