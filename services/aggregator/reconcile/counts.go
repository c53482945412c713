package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/postgres"
)

// checkCounts compares the counts of a day.
func (r *run) checkCounts(ctx context.Context, day time.Time) error {
	compared, err := r.snapshot.CompareCounts(ctx, day, func(d postgres.Difference) error {
		var columns []string
		for i, c := range postgres.Counters {
			if d.Stored[i] != d.Recounted[i] {
				columns = append(columns, fmt.Sprintf("%s is %d, recounted %d", c, d.Stored[i], d.Recounted[i]))
			}
		}
		return r.differ("%s %s %s: %s", d.Rollup, day.Format(time.DateOnly), d.Key, strings.Join(columns, "; "))
	})
	r.report.Compared += compared
	return err
}
