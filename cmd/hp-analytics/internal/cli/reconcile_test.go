package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

// The days without raw rows are one line, however many there are.
func TestReconcileNamesDroppedDaysOnce(t *testing.T) {
	t.Parallel()
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var days []time.Time
	for i := range 400 {
		days = append(days, first.AddDate(0, 0, i))
	}
	var out strings.Builder
	if err := (environment{stdout: &out}).report(reconcile.Report{Unchecked: days}, time.Second); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasPrefix(got, "400 days dropped (2026-01-01 to 2027-02-04): ") || strings.Count(got, "\n") != 2 {
		t.Errorf("reconcile says:\n%s", got)
	}
}
