package postgres_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// Events that come after their day was folded are added to that day and change no other; a type that has no column is
// counted by its name, per product and over all.
func TestLateEventsFoldIntoTheirOwnDay(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 14)
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 1, Rows: 1000}
	insert := ingestStatements(t)
	send := func(facts ...fact) {
		t.Helper()
		batch := write{id: facts[0].id, kind: "events", facts: facts}
		if err := batch.run(t.Context(), database.Pool("hp_ingest"), insert); err != nil {
			t.Fatal(err)
		}
	}
	made := byte(0)
	event := func(day, product int, user, typ string) fact {
		made++
		f := fact{ts: w.First.AddDate(0, 0, day-1), product: w.Products[product], user: user, typ: typ}
		f.id[0], f.id[15] = made, made
		return f
	}
	want := func(when string, want map[string][]int64) {
		t.Helper()
		if err := drain(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		got := readTables(t, func() (pgx.Tx, error) { return w.Pool.Begin(t.Context()) })
		for key := range got.rollups {
			if _, ok := want[key]; !ok && key[:4] == "type" {
				t.Errorf("%s: there is %s", when, key)
			}
		}
		rollups := map[string][]int64{}
		for key := range want {
			rollups[key] = got.rollups[key]
		}
		for _, day := range []string{"day 2026-01-01", "day 2026-01-02"} { // unique users behind the counts
			rollups[day] = append(rollups[day], got.users[day])
		}
		if diff := cmp.Diff(want, rollups); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	product := "product type " + w.Products[0].String()
	send(event(1, 0, "ada", "view"), event(1, 0, "ada", "search"))
	send(event(2, 0, "bob", "search"), event(2, 1, "bob", "search"), event(2, 1, "bob", "share:mail"))
	want("in time", map[string][]int64{
		"day 2026-01-01": {2, 1, 0, 0, 0, 0, 0, 1}, "day 2026-01-02": {3, 0, 0, 0, 0, 0, 0, 1},
		"type 2026-01-01 search": {1}, "type 2026-01-02 search": {2}, "type 2026-01-02 share:mail": {1},
		product + " 2026-01-01 search": {1}, product + " 2026-01-02 search": {1},
	})
	// Late ones for the first day, beside one for the second in the same batch.
	send(event(1, 0, "eve", "click"), event(1, 0, "eve", "search"), event(2, 0, "bob", "view"))
	want("late", map[string][]int64{
		"day 2026-01-01": {4, 1, 1, 0, 0, 0, 0, 2}, "day 2026-01-02": {4, 1, 0, 0, 0, 0, 0, 1},
		"type 2026-01-01 search": {2}, "type 2026-01-02 search": {2}, "type 2026-01-02 share:mail": {1},
		product + " 2026-01-01 search": {2}, product + " 2026-01-02 search": {1},
	})
	mustReconcile(t, store.Pool, 8)
}
