package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// Projects of several zones count the same instants on their own days and in their own hours, on days when clocks change too: as
// the clocks show them, and as Postgres tells them to reconcile.
func TestDaysAndHoursOfZones(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 41)
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 1, Rows: 100_000}
	var rows int64
	days, hours := map[string]int64{}, map[string]int64{}
	for i, test := range []struct {
		zone  string
		first time.Time // a day before the clocks change
	}{
		{"Asia/Kolkata", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)},
		{"America/St_Johns", time.Date(2026, 3, 7, 0, 0, 0, 0, time.UTC)},
		{"Australia/Lord_Howe", time.Date(2026, 4, 3, 0, 0, 0, 0, time.UTC)},
		{"Australia/Lord_Howe", time.Date(2026, 10, 2, 0, 0, 0, 0, time.UTC)},
		{"Europe/Berlin", time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)},
		{"Europe/Berlin", time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC)},
		{"America/Havana", time.Date(2026, 10, 31, 0, 0, 0, 0, time.UTC)},
	} {
		zone, err := localtime.Load(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		w.First, w.Days = test.first, 3
		p := w.InProject(fmt.Sprint("shop-", i), test.zone)
		var events []facts.Event
		for at := p.First; at.Before(p.First.AddDate(0, 0, p.Days)); at = at.Add(7*time.Minute + 30*time.Second) {
			events = append(events, facts.Event{TS: at, User: p.Users[len(events)%40], Product: p.Products[len(events)%8], Name: stats.View})
			local := at.In(zone)
			days[fmt.Sprint(p.Project, " ", local.Format(time.DateOnly))]++
			start := at.Add(-time.Duration(local.Minute())*time.Minute - time.Duration(local.Second())*time.Second)
			hours[fmt.Sprint(p.Project, " ", start.UTC().Format(time.RFC3339))]++
		}
		p.Send(events...)
		p.Orders(200)
		p.Refunds(100)
		rows += int64(len(events)) + 300
	}
	if err := drain(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	read := func(query string) map[string]int64 {
		t.Helper()
		got := map[string]int64{}
		tx, err := w.Pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback(t.Context())
		var key string
		var n int64
		each(t, tx, query, []any{&key, &n}, func() { got[key] = n })
		return got
	}
	if diff := cmp.Diff(days, read(`SELECT project || ' ' || day, events FROM stats.daily WHERE events > 0`)); diff != "" {
		t.Errorf("days (-clocks +stored):\n%s", diff)
	}
	const byHour = `SELECT project || ' ' || to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), events FROM stats.hourly WHERE events > 0`
	if diff := cmp.Diff(hours, read(byHour)); diff != "" {
		t.Errorf("hours (-clocks +stored):\n%s", diff)
	}
	mustReconcile(t, store.Pool, rows)
}

// Two projects whose users, products and names have the same texts count apart, and in one fold.
func TestProjectsCountApart(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	first := batchtest.New(t, database, 42)
	second := first.InProject("second", "Asia/Kolkata")
	for _, w := range []*batchtest.Writer{first, second, first, second} {
		w.Events(20)
		w.Orders(10)
		w.Refunds(5)
	}
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 1, Rows: 100_000}
	done, err := store.Fold(t.Context())
	if err != nil || done.Batches != 12 || len(done.Failed) != 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	mustReconcile(t, store.Pool, 4*35)
	for _, w := range []*batchtest.Writer{first, second} {
		var events, foreign int
		err := w.Pool.QueryRow(t.Context(), `
			SELECT (SELECT sum(events) FROM stats.daily WHERE project = $1),
				(SELECT count(*) FROM stats.user_daily_stats WHERE project = $1 AND user_n <> ALL ($2))
					+ (SELECT count(*) FROM stats.product_daily_stats WHERE project = $1 AND product <> ALL ($3))`, w.Project, w.Users, w.Products).Scan(&events, &foreign)
		if err != nil || events != 40 || foreign != 0 {
			t.Errorf("project %d has %d events, %d rows are of the other: %v", w.Project, events, foreign, err)
		}
	}
	for _, w := range []*batchtest.Writer{first, second} { // a fold of several projects changes the tokens of each
		if _, ok := done.Changed[protocol.ProjectField(w.Project)]; !ok {
			t.Errorf("the token of project %d stays", w.Project)
		}
	}
}
