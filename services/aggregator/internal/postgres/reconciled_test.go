package postgres_test

import (
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// A reconciliation of some days, however new, hides no difference of the last one of all days.
func TestReconciledIsOfAllDays(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t).Pool("hp_aggregator")
	store := postgres.Store{Pool: pool}
	want := func(oldest time.Time, differences int64) {
		t.Helper()
		if got, err := store.Reconciled(t.Context()); err != nil || !got.Oldest.Equal(oldest) || got.Differences != differences {
			t.Errorf("%+v, %v; want %v and %d differences", got, err, oldest, differences)
		}
	}
	night := time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)
	record := func(finished time.Time, from, to *time.Time, differences int) {
		t.Helper()
		const insert = `
			INSERT INTO stats.reconciles (project, begun_at, finished_at, from_day, to_day, days, rows, compared, differences)
			VALUES (1, $1, $1, $2, $3, 1, 1, 1, $4)`
		if _, err := pool.Exec(t.Context(), insert, finished, from, to, differences); err != nil {
			t.Fatal(err)
		}
	}
	record(night, &night, nil, 7)
	want(time.Time{}, 0)
	record(night, nil, nil, 500)
	record(night.Add(time.Hour), &night, &night, 0)
	record(night.Add(time.Hour), nil, &night, 0)
	want(night, 500)
	record(night.Add(2*time.Hour), nil, nil, 0)
	want(night.Add(2*time.Hour), 0)
}
