package rebuild_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
)

// A rebuild of a project leaves the others as they are, and rebuilds the days and hours of its zone: on days when the clocks
// change, and in hours that begin at half past in UTC.
func TestOneProjectIsRebuiltInItsZone(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	january := b.options()
	b.First, b.Days = time.Date(2026, 4, 3, 0, 0, 0, 0, time.UTC), 3 // the clocks change on the 5th
	shop := b.InProject("lord-howe", "Australia/Lord_Howe")
	for range 10 {
		shop.Events(20)
		shop.Orders(10)
		shop.Refunds(5)
		b.rows += 35
	}
	b.fold()
	b.mustBeRight()
	b.exec(`UPDATE stats.hourly_stats SET views = views + 1 WHERE events > 0`)
	b.exec(`UPDATE stats.product_hourly_revenue SET orders = orders + 1`)
	b.exec(`DELETE FROM stats.daily_user_sets WHERE project = $1`, shop.Project)
	b.exec(`INSERT INTO stats.hourly_revenue (project, hour, currency, lane, orders) VALUES ($1, '2026-04-04 12:59Z', 'XAU', 0, 1), ($1, '2026-04-05 13:29Z', 'XAU', 0, 1)`, shop.Project)
	options := rebuild.Options{Project: "lord-howe", From: localtime.DayOfDate(b.First), To: localtime.DayOfDate(b.First) + 3}
	report := b.rebuildWith(options)
	var rows int64
	var days []string
	for _, d := range report.Done {
		rows += d.Rows
		days = append(days, d.Project+" "+d.Day.String())
	}
	want := []string{"lord-howe 2026-04-03", "lord-howe 2026-04-04", "lord-howe 2026-04-05", "lord-howe 2026-04-06"}
	if diff := cmp.Diff(want, days); diff != "" || rows != 350 {
		t.Errorf("%d rows, want 350; days (-want +got):\n%s", rows, diff)
	}
	out, _ := b.differences()
	if n := b.count(`SELECT count(*) FROM stats.hourly_revenue WHERE currency = 'XAU'`); n != 0 || daysOf(out)[0] != "2026-01-01" || daysOf(out)[len(daysOf(out))-1] > "2026-01-05" {
		t.Errorf("%d rows of nothing; only the default project must be wrong:\n%s", n, out)
	}
	b.rebuildWith(january) // of all projects, but only the default one has rows
	b.mustBeRight()
}

// A local day is refused if one of the two UTC days that it is part of was dropped, and only then.
func TestALocalDayNeedsBothUTCDays(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.InProject("west", "America/St_Johns")
	b.InProject("east", "Asia/Kolkata")
	b.exec(`INSERT INTO ingest.dropped_days (project, day) SELECT id, day FROM auth.projects, (VALUES (date '2026-01-01'), ('2026-01-02')) AS d (day)`)
	for project, first := range map[string]int{"default": 2, "west": 2, "east": 3} { // the 3rd begins on the 2nd in UTC
		options := b.options()
		options.Project = project
		_, err := rebuild.Run(t.Context(), b.pool, options)
		gone, ok := errors.AsType[*rebuild.NoRawRowsError](err)
		if !ok || gone.Project != project || len(gone.Days) != first || gone.Days[first-1] != b.day(first-1) {
			t.Errorf("%s: %v, want that the %d first days are refused", project, err, first)
		}
		options.From = b.day(first)
		if _, err := rebuild.Run(t.Context(), b.pool, options); err != nil {
			t.Errorf("%s from %s: %v", project, options.From, err)
		}
	}
	if _, err := rebuild.Run(t.Context(), b.pool, rebuild.Options{Project: "nowhere"}); !errors.Is(err, rebuild.ErrNoProject) {
		t.Errorf("a project that is not: %v", err)
	}
}
