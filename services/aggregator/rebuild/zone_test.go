package rebuild_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
)

func mustLoad(name string) *time.Location {
	zone, err := localtime.Load(name)
	if err != nil {
		panic(err)
	}
	return zone
}

// newShop returns books with a project in Kolkata that has many days.
func newShop(t *testing.T, days, batches int) (*books, *batchtest.Writer) {
	t.Helper()
	b := newBooks(t)
	b.First, b.Days = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), days
	shop := b.InProject("shop", "Asia/Kolkata")
	b.trade(shop, batches)
	b.fold()
	return b, shop
}

// trade commits batches of every kind to a project.
func (b *books) trade(w *batchtest.Writer, batches int) {
	b.t.Helper()
	for range batches {
		w.Events(20)
		w.Orders(10)
		w.Refunds(5)
		b.rows += 35
	}
}

func (b *books) want(project int16, zone string) {
	b.t.Helper()
	b.exec(`UPDATE auth.projects SET time_zone = $2 WHERE id = $1`, project, zone)
}

// move takes the next step of the change of a project's zone.
func (b *books) move(slug string) rebuild.ZoneStep {
	b.t.Helper()
	step, err := rebuild.MoveZone(b.t.Context(), b.pool, slug, b.now(), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return step
}

// now is the last of the days that have rows.
func (b *books) now() time.Time { return b.First.AddDate(0, 0, b.Days).Add(-time.Hour) }

// zones returns the history of a project.
func (b *books) zones(project int16) (history string) {
	b.t.Helper()
	const query = `
		SELECT string_agg(CASE WHEN isfinite(since) THEN to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z" ') ELSE '' END || time_zone, ', ' ORDER BY since)
		FROM stats.zones WHERE project = $1`
	if err := b.Pool.QueryRow(b.t.Context(), query, project).Scan(&history); err != nil {
		b.t.Fatal(err)
	}
	return history
}

// Two changes of the zone of a project with 60 days of rows, while more arrive: at every step all rollups are what the raw rows and the
// zones that hold make them, and reconcile finds nothing.
func TestChangeOfZone(t *testing.T) {
	t.Parallel()
	b, shop := newShop(t, 60, 30)
	for _, zone := range []string{"America/New_York", "Australia/Lord_Howe"} {
		b.want(shop.Project, zone)
		steps, done := 0, 0
		for finished := false; !finished; steps++ {
			b.trade(shop, 1)
			step := b.move("shop")
			if finished = step.Finished; step.Done < done || step.Done > step.Total || step.To != zone {
				t.Errorf("%+v after %d days", step, done)
			}
			done = step.Done
			b.mustBeModel(shop.Project)
			if steps%2 == 0 {
				b.fold() // what came before the step and is folded after it
				b.mustBeModel(shop.Project)
			}
		}
		b.fold()
		b.mustBeModel(shop.Project)
		if got := b.zones(shop.Project); got != zone || steps < 3 {
			t.Errorf("after %d steps the zones are %s, want %s", steps, got, zone)
		}
		if due, err := rebuild.ZoneChangesDue(t.Context(), b.pool); err != nil || len(due) != 0 {
			t.Errorf("%v is due after the end, %v", due, err)
		}
	}
	b.mustBeRight()
	b.mustBeModel(1)
}

// Days whose raw events are gone keep the former zone, and the day in which the new one begins has rows of both. Rebuild and reconcile
// work in the middle of a change as ever.
func TestDaysWithoutRawRowsKeepTheirZone(t *testing.T) {
	t.Parallel()
	b, shop := newShop(t, 20, 20)
	b.exec(`SELECT ingest.drop_partitions_before('2026-03-09', false)`)
	before := b.daysBefore(shop.Project, "2026-03-08")
	b.want(shop.Project, "America/New_York")
	steps := 0
	for n := 0; ; n++ {
		if steps++; n > 100 {
			t.Fatal("the change does not end")
		}
		step := b.move("shop")
		out, _ := b.differences()
		if out != "" {
			t.Fatalf("after %+v:\n%s", step, out)
		}
		if step.Finished {
			break
		}
		if n == 0 {
			b.rebuildWith(rebuild.Options{Project: "shop", From: b.day(12), To: b.day(19)})
		}
	}
	if steps != 2 {
		t.Errorf("the change took %d steps, want one for all days with raw rows and one that ends it", steps)
	}
	// The 9th by the clocks of Kolkata began on the 8th in UTC, of which there are no rows any more.
	if got := b.zones(shop.Project); got != "Asia/Kolkata, 2026-03-10T04:00Z America/New_York" {
		t.Errorf("the zones are %s", got)
	}
	if diff := cmp.Diff(before, b.daysBefore(shop.Project, "2026-03-08")); diff != "" {
		t.Errorf("days without raw rows (-before +after):\n%s", diff)
	}
	b.trade(shop, 0)
	b.exec(`UPDATE stats.hourly_stats SET views = views + 1 WHERE project = $1 AND hour >= '2026-03-11'`, shop.Project)
	b.exec(`UPDATE stats.daily_stats SET views = views + 1 WHERE project = $1 AND day >= '2026-03-10'`, shop.Project)
	if out, _ := b.differences(); !strings.Contains(out, "2026-03-10") {
		t.Errorf("the day of the change is not compared:\n%s", out)
	}
	b.rebuildWith(rebuild.Options{Project: "shop", From: b.day(9), To: b.day(20)})
	if out, _ := b.differences(); out != "" {
		t.Errorf("after a rebuild across the change:\n%s", out)
	}
}

// daysBefore returns the counts of the days before one.
func (b *books) daysBefore(project int16, day string) (all string) {
	b.t.Helper()
	const query = `SELECT string_agg(concat_ws(' ', day, events, views, purchases, units), ', ' ORDER BY day) FROM stats.daily WHERE project = $1 AND day < $2::date`
	if err := b.Pool.QueryRow(b.t.Context(), query, project, day).Scan(&all); err != nil {
		b.t.Fatal(err)
	}
	return all
}

// A second change supersedes the first, wherever that is, and one back to the former zone undoes it.
func TestChangesSupersedeEachOther(t *testing.T) {
	t.Parallel()
	b, shop := newShop(t, 60, 20)
	for _, change := range []struct {
		zone  string
		steps int
	}{{"America/New_York", 1}, {"Pacific/Kiritimati", 2}, {"Pacific/Pago_Pago", 1}, {"Asia/Kolkata", 100}} {
		b.want(shop.Project, change.zone)
		for range change.steps {
			b.trade(shop, 1)
			step := b.move("shop")
			b.mustBeModel(shop.Project)
			b.fold()
			b.mustBeModel(shop.Project)
			if step.Finished {
				break
			}
		}
	}
	if got := b.zones(shop.Project); got != "Asia/Kolkata" {
		t.Errorf("the zones are %s", got)
	}
	b.mustBeRight()
}

// A project without rows has its new zone after one step.
func TestChangeOfZoneWithoutRows(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	empty := b.InProject("empty", "UTC")
	b.want(empty.Project, "Asia/Tokyo")
	if due, err := rebuild.ZoneChangesDue(t.Context(), b.pool); err != nil || fmt.Sprint(due) != "[empty]" {
		t.Errorf("%v is due, %v", due, err)
	}
	if step := b.move("empty"); !step.Finished || step.From != "UTC" || step.To != "Asia/Tokyo" || b.zones(empty.Project) != "Asia/Tokyo" {
		t.Errorf("%+v, zones %s", step, b.zones(empty.Project))
	}
}
