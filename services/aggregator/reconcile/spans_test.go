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
	project := postgres.Project{ID: 3, Slug: "shop", Zone: "Europe/Berlin"}
	got, err := spans(project, []postgres.Day{
		{Day: day(1), Rows: spanRows / 2},
		{Day: day(2), Rows: spanRows / 2},
		{Day: day(3), Rows: 1},                      // one too many for the span before
		{Day: day(4), Dropped: true, Rows: 5},       // its raw events are gone
		{Day: day(5), Rows: 3 * spanRows},           // alone, however many
		{Day: day(6)}, {Day: day(8)}, {Day: day(9)}, // no span crosses a day without data
		{Day: day(86), Rows: 1}, {Day: day(87)}, {Day: day(88), Rows: 2}, // the last is 29 March, when the clocks change
	})
	if err != nil {
		t.Fatal(err)
	}
	at := func(first, end int, hoursBefore, hoursBeforeEnd int) postgres.Span {
		return postgres.Span{
			Project: project, Day: day(first), End: day(end),
			From: day(first).Add(time.Duration(-hoursBefore) * time.Hour), To: day(end).Add(time.Duration(-hoursBeforeEnd) * time.Hour),
		}
	}
	want := []postgres.Span{at(1, 3, 1, 1), at(3, 4, 1, 1), at(5, 6, 1, 1), at(6, 7, 1, 1), at(8, 10, 1, 1), at(86, 89, 1, 2)}
	equal := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
	if diff := cmp.Diff(want, got, equal); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}
