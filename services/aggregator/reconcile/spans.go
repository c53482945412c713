package reconcile

import "github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/postgres"

// spanRows is how many raw rows a span has at most, unless it is a single day. A statement costs some milliseconds whatever it
// reads, so days with few rows are read together; more rows at once would go to temporary files.
const spanRows = 250_000

// spans groups the days whose raw rows still exist, in order, into ranges without a gap.
func spans(days []postgres.Day) (all []postgres.Span) {
	var rows int64 // of the last span
	for _, d := range days {
		if !d.Raw {
			continue
		}
		next := d.Day.AddDate(0, 0, 1)
		if last := len(all) - 1; last >= 0 && all[last].To.Equal(d.Day) && rows+d.Rows <= spanRows {
			all[last].To = next
			rows += d.Rows
			continue
		}
		all, rows = append(all, postgres.Span{From: d.Day, To: next}), d.Rows
	}
	return all
}
