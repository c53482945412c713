package postgres_test

import (
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/stats/segment"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// TestManyDaysAreMerged merges more days than are looked for at once, each in a block of its own, in two projects. A day before 1970 is in
// no block, and one with damaged segments keeps no other one from being merged.
func TestManyDaysAreMerged(t *testing.T) {
	t.Parallel()
	const projects, days = 2, 525
	database := dbtest.New(t)
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 2, Rows: 1000}
	tx, err := store.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range segment.Tables {
		if err := table.Insert(t.Context(), tx, manySegments(t, table, projects, days)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	const each = projects * days
	if n, err := store.MergeSegments(t.Context(), 1); err == nil || n != each*2 {
		t.Errorf("merged %d segments, %v; want %d, and an error of the damaged ones", n, err, each*2)
	}
	if n, err := store.BlockSegments(t.Context(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil || n != (each-projects)*2 {
		t.Errorf("made %d blocks, %v; want %d", n, err, (each-projects)*2)
	}
	for table, want := range map[*segment.Table]int{segment.Counts: 2, segment.Money: 0} {
		var left int
		if err := store.Pool.QueryRow(t.Context(), `SELECT count(*) FROM stats.`+table.Name+` WHERE NOT merged`).Scan(&left); err != nil || left != want {
			t.Errorf("%d segments of %s are not merged, %v; want %d", left, table.Name, err, want)
		}
	}
}

// manySegments returns a segment of every eighth day from 1969 on for each project, and of the counts two damaged ones of a day before them.
func manySegments(t *testing.T, table *segment.Table, projects, days int) (all []segment.Row) {
	t.Helper()
	builder := segment.NewBuilder(len(table.Columns))
	values := make([]int64, len(table.Columns))
	values[0] = 1
	if err := builder.Add(7, values); err != nil {
		t.Fatal(err)
	}
	row := segment.Row{Segment: builder.Segment(), Days: 1}
	if table.ByCurrency {
		row.Currency = "EUR"
	}
	first := time.Date(1969, 12, 28, 0, 0, 0, 0, time.UTC)
	for project := range projects {
		row.Project = int16(project + 1)
		for day := range days {
			row.Day = first.AddDate(0, 0, segment.BlockDays*day)
			all = append(all, row)
		}
	}
	if !table.ByCurrency {
		row.Project, row.Day, row.Products = 1, first.AddDate(-1, 0, 0), []byte{0xff}
		all = append(all, row, row)
	}
	return all
}
