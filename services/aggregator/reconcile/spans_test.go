package reconcile

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/postgres"
)

func TestSpans(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	got := spans([]postgres.Day{
		{Day: day(1), Raw: true, Rows: spanRows / 2},
		{Day: day(2), Raw: true, Rows: spanRows / 2},
		{Day: day(3), Raw: true, Rows: 1},            // one too many for the span before
		{Day: day(4)},                                // its raw rows are gone
		{Day: day(5), Raw: true, Rows: 3 * spanRows}, // alone, however many
		{Day: day(6), Raw: true},
		{Day: day(8), Raw: true}, // no span crosses a day without data
		{Day: day(9), Raw: true},
	})
	want := []postgres.Span{
		{From: day(1), To: day(3)}, {From: day(3), To: day(4)}, {From: day(5), To: day(6)}, {From: day(6), To: day(7)}, {From: day(8), To: day(10)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}
