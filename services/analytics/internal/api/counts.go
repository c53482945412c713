package api

import (
	"reflect"

	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// withCounts are the generated types that have a field for each counter, and one for revenue.
type withCounts interface {
	Counts | ProductTotals | SeriesPoint | UserDay
}

// countFields are the indexes of those fields in a type.
type countFields struct {
	counters [len(stats.Counts{})]int
	revenue  int
}

// countFieldsOf has an entry for each type of withCounts.
var countFieldsOf = map[reflect.Type]countFields{
	reflect.TypeFor[Counts]():        findCountFields[Counts](),
	reflect.TypeFor[ProductTotals](): findCountFields[ProductTotals](),
	reflect.TypeFor[SeriesPoint]():   findCountFields[SeriesPoint](),
	reflect.TypeFor[UserDay]():       findCountFields[UserDay](),
}

// findCountFields finds the fields by their names in JSON. That of a counter is the name of its column, so the list of
// counters is not repeated here. A field that is missing has the index -1: a test proves that there is none.
func findCountFields[T withCounts]() (fields countFields) {
	of := reflect.TypeFor[T]()
	fields.counters, fields.revenue = counterFields(of), fieldNamed(of, "revenue")
	return fields
}

// counterFields returns the index of the field of each counter in a generated type.
func counterFields(of reflect.Type) (fields [len(stats.Counts{})]int) {
	for i, column := range stats.Columns() {
		fields[i] = fieldNamed(of, column)
	}
	return fields
}

// fieldNamed returns the index of the field with a name in JSON.
func fieldNamed(of reflect.Type, name string) int {
	for i := range of.NumField() {
		if of.Field(i).Tag.Get("json") == name {
			return i
		}
	}
	return -1
}

// setCounts sets the fields of to that show counts.
func setCounts[T withCounts](to *T, c report.Counts) {
	value, fields := reflect.ValueOf(to).Elem(), countFieldsOf[reflect.TypeFor[T]()]
	for i, n := range c.Counts {
		value.Field(fields.counters[i]).SetInt(n)
	}
	value.Field(fields.revenue).Set(reflect.ValueOf(toAPIRevenue(c.Revenue)))
}

func toAPIRevenue(r report.Revenue) []Revenue {
	amounts := make([]Revenue, len(r))
	for i, a := range r {
		amounts[i] = Revenue{
			Currency: a.Currency, GrossMinor: a.GrossMinor, RefundedMinor: a.RefundedMinor, NetMinor: a.NetMinor(),
			Orders: a.Orders, Units: a.Units,
		}
	}
	return amounts
}
