// Package tally counts the facts of a shop one by one. The platform's numbers are compared with it, so it shares no code
// with the platform.
package tally

// Counts are the counts of a product, user or day, as the platform's contract defines them.
type Counts struct {
	Events       int64 `json:"events"` // events of all types; purchases are not among them
	Views        int64 `json:"views"`
	Clicks       int64 `json:"clicks"`
	AddToCarts   int64 `json:"add_to_carts"`
	Purchases    int64 `json:"purchases"`
	Units        int64 `json:"units"`
	RevenueMinor int64 `json:"revenue_minor"`
	UniqueUsers  int64 `json:"unique_users"`
}

// Add adds o to c. The sum of UniqueUsers is not a number of users, but it can still be compared.
func (c *Counts) Add(o Counts) {
	c.Events += o.Events
	c.Views += o.Views
	c.Clicks += o.Clicks
	c.AddToCarts += o.AddToCarts
	c.Purchases += o.Purchases
	c.Units += o.Units
	c.RevenueMinor += o.RevenueMinor
	c.UniqueUsers += o.UniqueUsers
}

// Measure names one of the counts, as the platform does.
type Measure string

// The measures.
const (
	Events       Measure = "events"
	Views        Measure = "views"
	Clicks       Measure = "clicks"
	AddToCarts   Measure = "add_to_carts"
	Purchases    Measure = "purchases"
	Units        Measure = "units"
	RevenueMinor Measure = "revenue_minor"
	UniqueUsers  Measure = "unique_users"
)

// Measures returns all measures in the order of the report.
func Measures() []Measure {
	return []Measure{Events, Views, Clicks, AddToCarts, Purchases, Units, RevenueMinor, UniqueUsers}
}

// Of returns the count of m.
func (m Measure) Of(c Counts) int64 {
	switch m {
	case Events:
		return c.Events
	case Views:
		return c.Views
	case Clicks:
		return c.Clicks
	case AddToCarts:
		return c.AddToCarts
	case Purchases:
		return c.Purchases
	case Units:
		return c.Units
	case RevenueMinor:
		return c.RevenueMinor
	case UniqueUsers:
		return c.UniqueUsers
	default:
		return 0
	}
}
