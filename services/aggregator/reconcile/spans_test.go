package reconcile

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile/internal/postgres"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := localtime.Load("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestSpans(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	project := postgres.Project{ID: 3, Slug: "shop", Zones: localtime.Always(berlin(t))}
	got := spans(project, []postgres.Day{
		{Day: day(1), Rows: spanRows / 2},
		{Day: day(2), Rows: spanRows / 2},
		{Day: day(3), Rows: 1},                      // one too many for the span before
		{Day: day(4), Dropped: true, Rows: 5},       // its raw events are gone
		{Day: day(5), Rows: 3 * spanRows},           // alone, however many
		{Day: day(6)}, {Day: day(8)}, {Day: day(9)}, // no span crosses a day without data
		{Day: day(86), Rows: 1}, {Day: day(87)}, {Day: day(88), Rows: 2}, // the last is 29 March, when the clocks change
	})
	at := func(first, end int, hoursBefore, hoursBeforeEnd int) postgres.Span {
		return postgres.Span{
			Project: project, Day: day(first), End: day(end),
			From: day(first).Add(time.Duration(-hoursBefore) * time.Hour), To: day(end).Add(time.Duration(-hoursBeforeEnd) * time.Hour),
		}
	}
	want := []postgres.Span{at(1, 3, 1, 1), at(3, 4, 1, 1), at(5, 6, 1, 1), at(6, 7, 1, 1), at(8, 10, 1, 1), at(86, 89, 1, 2)}
	equal := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
	zones := cmp.Comparer(func(a, b localtime.History) bool { return len(a) == len(b) })
	if diff := cmp.Diff(want, got, equal, zones); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

// TestDivide divides spans until that is not possible any more, and checks that nothing is lost or counted twice.
func TestDivide(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }
	project := postgres.Project{ID: 3, Slug: "shop", Zones: localtime.Always(berlin(t))}
	all := spans(project, []postgres.Day{{Day: day(28), Rows: 1}, {Day: day(29), Rows: 1}, {Day: day(30), Rows: 5*partRows + 1}})
	if len(all) != 7 {
		t.Fatalf("%d spans, want one of two days and six parts of the third", len(all))
	}
	const users = 2 * mostParts
	seen := map[time.Time][]int{} // of each day, how many spans have the totals, and how many have each user
	for len(all) > 0 {
		span := all[0]
		smaller := divide(span)
		all = append(smaller, all[1:]...)
		if len(smaller) > 0 {
			continue
		}
		if !span.End.Equal(span.Day.AddDate(0, 0, 1)) || span.To.Sub(span.From) > 24*time.Hour || span.Part.Of > 2*mostParts {
			t.Fatalf("%+v cannot be divided", span)
		}
		if seen[span.Day] == nil {
			seen[span.Day] = make([]int, 1+users)
		}
		if span.Part.Totals() {
			seen[span.Day][0]++
			continue
		}
		for user := span.Part.N; user < users; user += span.Part.Of {
			seen[span.Day][1+user]++
		}
	}
	for _, at := range []time.Time{day(28), day(29), day(30)} {
		for i, n := range seen[at] {
			if n != 1 {
				t.Fatalf("%s: %d spans have the user %d (-1 are the totals), want one", at, n, i-1)
			}
		}
	}
}
