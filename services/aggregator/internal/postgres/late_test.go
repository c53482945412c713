package postgres_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// Events that come after their day was folded are added to that day and change no other.
func TestLateEventsFoldIntoTheirOwnDay(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 14)
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 1, Rows: 1000}
	event := func(day, user int, product int32, name stats.Name) facts.Event {
		return facts.Event{TS: w.First.AddDate(0, 0, day-1).Add(time.Hour), User: w.Users[user], Product: product, Name: name}
	}
	want := func(when string, want map[string][]int64) {
		t.Helper()
		if err := drain(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		got := readTables(t, func() (pgx.Tx, error) { return w.Pool.Begin(t.Context()) })
		rollups := map[string][]int64{}
		for key := range want {
			rollups[key] = slices.Concat(got.rollups["1 "+key+"\n"], []int64{got.users["1 set "+key[len("day "):]+"\n"]})
		}
		if diff := cmp.Diff(want, rollups); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	ada, bob, eve := 0, 1, 2
	shoe := w.Products[0]
	const search = stats.FirstName
	w.Send(event(1, ada, shoe, stats.View), event(1, ada, shoe, search))
	w.Send(event(2, bob, shoe, search), event(2, bob, 0, search), event(2, bob, 0, search+1))
	want("in time", map[string][]int64{"day 2026-01-01": {2, 1, 0, 0, 0, 0, 1}, "day 2026-01-02": {3, 0, 0, 0, 0, 0, 1}})
	// Late ones for the first day, beside one for the second in the same batch.
	w.Send(event(1, eve, shoe, stats.Click), event(1, eve, 0, search), event(2, bob, shoe, stats.View))
	want("late", map[string][]int64{"day 2026-01-01": {4, 1, 1, 0, 0, 0, 2}, "day 2026-01-02": {4, 1, 0, 0, 0, 0, 1}})
	mustReconcile(t, store.Pool, 8)
}
