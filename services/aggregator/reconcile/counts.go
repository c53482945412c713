package reconcile

import (
	"context"
	"fmt"
	"strings"

	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/postgres"
)

// checkCounts compares the counts of a span.
func (r *run) checkCounts(ctx context.Context, span postgres.Span) error {
	compared, err := r.snapshot.CompareCounts(ctx, span, func(d postgres.Difference) error {
		var columns []string
		for i, c := range postgres.Counters {
			if d.Stored[i] != d.Recounted[i] {
				columns = append(columns, fmt.Sprintf("%s is %d, recounted %d", c, d.Stored[i], d.Recounted[i]))
			}
		}
		return r.differ(d.Rollup, d.Day, d.Key, "%s", strings.Join(columns, "; "))
	})
	r.report.Compared += compared
	return err
}
