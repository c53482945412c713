package report

// Ranking says what to rank, and which part of the ranking to return.
type Ranking struct {
	Range    Range
	Metric   Metric
	Currency string // of a Metric of money
	Type     string // the name of an event, whose events are counted in place of Metric; empty for none
	Category string // whose products are ranked; empty for all
	Limit    int
	After    Place // the last place of the previous page
}

// Place is a place in a ranking.
type Place struct {
	Rank  int // from 1; 0 is before the first
	Value int64
	Key   int64 // the number of the product or user; of equal values, the lowest comes first
}

// Before reports whether p is ranked before o.
func (p Place) Before(o Place) bool { return p.Value > o.Value || p.Value == o.Value && p.Key < o.Key }

// Top is a page of a ranking of products, highest first.
type Top struct {
	Items  []TopItem
	Totals Counts // of all products; without users
	Exact  bool   // no other product can belong before or among Items
	Next   *Place // the last of Items, if more may follow
	Meta   Meta
}

// TopItem is one place in a ranking of products.
type TopItem struct {
	Place   Place
	Product Product
	Counts  Counts
}
