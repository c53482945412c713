package rebuild_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
)

func TestEveryTamperingIsRepaired(t *testing.T) {
	t.Parallel()
	// Each breaks at least one row.
	tests := map[string]string{
		"a product made up":   `INSERT INTO stats.product_daily_stats (project, product, day, lane, views) VALUES (1, 99, '2026-01-02', 3, 1)`,
		"an hour made up":     `INSERT INTO stats.hourly_stats (project, hour, lane, views) VALUES (1, '2026-01-02 12:34Z', 3, 1)`,
		"a user made up":      `INSERT INTO stats.user_daily_stats (project, user_n, day, lane, events) VALUES (1, 99, '2026-01-03', 0, 1)`,
		"a currency made up":  `INSERT INTO stats.hourly_revenue (project, hour, currency, lane, orders) VALUES (1, '2026-01-03 23:00Z', 'XAU', 0, 1)`,
		"counted twice":       `INSERT INTO stats.daily_stats SELECT project, day, lane + 7, events, views, clicks, add_to_carts, purchases, units FROM stats.daily_stats`,
		"other users":         `UPDATE stats.daily_users SET sketch = (SELECT sketch FROM stats.product_daily_users ORDER BY length(sketch) LIMIT 1)`,
		"users of nothing":    `INSERT INTO stats.product_daily_users (project, product, day, lane, sketch) SELECT 1, 99, day, lane, sketch FROM stats.daily_users LIMIT 1`,
		"a chunk of nothing":  `INSERT INTO stats.daily_user_sets (project, day, chunk, lane, users) SELECT 1, day, 99, lane, users FROM stats.daily_user_sets LIMIT 1`,
		"a sketch of garbage": `UPDATE stats.product_daily_users SET sketch = '\x0102' WHERE ctid = (SELECT ctid FROM stats.product_daily_users LIMIT 1)`,
	}
	for _, table := range rollup.Tables {
		tests[table.Name+" is empty"] = `DELETE FROM stats.` + table.Name
		if !table.Blobs() {
			tests[table.Name+" counts too many"] = `UPDATE stats.` + table.Name + ` SET ` + table.Values[0] + ` = ` + table.Values[0] + ` + 1
				WHERE ctid = (SELECT ctid FROM stats.` + table.Name + ` LIMIT 1)`
		}
	}
	b := newBooks(t)
	b.mustBeRight()
	for name, tamper := range tests {
		t.Run(name, func(t *testing.T) {
			if b.exec(tamper) == 0 {
				t.Fatal("nothing was tampered with")
			}
			if out, _ := b.differences(); out == "" {
				t.Fatal("the rollups are right before they are rebuilt")
			}
			b.rebuild()
			b.mustBeRight()
		})
	}
}

// TestWhatIsRightIsLeftAlone checks that a rebuild of right rollups writes none of their rows, though they are in two lanes and
// their sketches are encoded in another way than a rebuild does it, and that it replaces what is wrong in all lanes.
func TestWhatIsRightIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	var versions []string
	for _, table := range rollup.Tables {
		versions = append(versions, `SELECT concat_ws(' ', '`+table.Name+`', ctid, xmin, xmax) AS version FROM stats.`+table.Name)
	}
	union := strings.Join(versions, " UNION ALL ")
	stored := func() (rows []string) {
		if err := b.Pool.QueryRow(t.Context(), `SELECT array_agg(version ORDER BY version) FROM (`+union+`) AS every`).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	sum := func(r rebuild.Report) (all rebuild.Day) {
		for _, d := range r.Done {
			all.Rows, all.Late = all.Rows+d.Rows, all.Late+d.Late
			all.Before, all.After = all.Before+d.Before, all.After+d.After
			all.Removed, all.Added = all.Removed+d.Removed, all.Added+d.Added
		}
		return all
	}
	before := stored()
	first := sum(b.rebuild())
	if diff := cmp.Diff(before, stored()); diff != "" {
		t.Errorf("versions of rollup rows (-before +after):\n%s", diff)
	}
	if n := int64(len(before)); first.Rows != b.rows || first.Before != n || first.After != n || first.Removed+first.Added != 0 {
		t.Errorf("%+v; %d raw rows, %d rollup rows", first, b.rows, n)
	}
	if b.count(`SELECT count(*) FROM stats.daily_users WHERE lane > 0`) == 0 {
		t.Error("no day has users in two lanes")
	}

	b.exec(`UPDATE stats.daily_stats SET events = events + 1 WHERE day = '2026-01-02' AND lane = 0`)
	b.exec(`UPDATE stats.daily_users SET sketch = (SELECT sketch FROM stats.daily_users WHERE day = '2026-01-03' AND lane = 0) WHERE day = '2026-01-04' AND lane = 0`)
	b.exec(`DELETE FROM stats.daily_user_sets WHERE day = '2026-01-05' AND lane = 0`)
	second := sum(b.rebuild())
	b.mustBeRight()
	if n := int64(len(before)); second.Removed != 5 || second.Added != 3 || second.Before != n-1 || second.After != n-3 || second.After != int64(len(stored())) {
		t.Errorf("three wrong rows: %+v of %d", second, n)
	}
	if n := b.count(`SELECT count(*) FROM stats.rebuilds WHERE finished_at IS NOT NULL`); n != 2 {
		t.Errorf("%d rebuilds are noted as finished, want 2", n)
	}
}

// Only the days that were asked for change, and pending batches stay out.
func TestRangeAndPendingRows(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	counted := b.rows
	b.write(10)
	b.exec(`UPDATE stats.daily_stats SET events = events + 1 WHERE lane = 0`)
	second, third := b.day(1), b.day(2)
	if _, err := rebuild.Run(t.Context(), b.pool, rebuild.Options{From: second, To: third}); err != nil {
		t.Fatal(err)
	}
	out, rows := b.differences()
	var wrong []string
	for d := b.day(0); d <= b.day(b.Days-1); d++ {
		if d != second && d != third {
			wrong = append(wrong, d.String())
		}
	}
	if rows != counted {
		t.Errorf("%d rows are counted, want %d", rows, counted)
	}
	if diff := cmp.Diff(wrong, daysOf(out)); diff != "" {
		t.Errorf("days that differ (-want +got):\n%s", diff)
	}
	b.rebuild()
	b.fold()
	b.mustBeRight()
}

func TestDaysWithoutRawRowsAreRefused(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	// A late event asks for the partition of the second of the dropped days.
	const drop = `SELECT ingest.drop_partitions_before('2026-01-05', false); SELECT ingest.ensure_partitions('2026-01-02', '2026-01-02')`
	if _, err := b.Pool.Exec(t.Context(), drop); err != nil {
		t.Fatal(err)
	}
	b.exec(`UPDATE stats.daily_stats SET events = events + 1`)
	const sum = `SELECT sum(events) FROM stats.daily_stats`
	before := b.count(sum)
	_, err := rebuild.Run(t.Context(), b.pool, b.options())
	gone, ok := errors.AsType[*rebuild.NoRawRowsError](err)
	if !ok {
		t.Fatalf("rebuild: %v", err)
	}
	if diff := cmp.Diff([]localtime.Day{b.day(0), b.day(1), b.day(2), b.day(3)}, gone.Days); diff != "" {
		t.Errorf("days without raw rows (-want +got):\n%s", diff)
	}
	if after := b.count(sum); after != before {
		t.Errorf("the refused rebuild changed the sum from %d to %d", before, after)
	}
}

// A rebuild that is interrupted goes on where it was; --restart begins anew, and so does one that comes a day later.
func TestInterruptedRebuildGoesOn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		restart       bool
		age           string
		resumed, done int
	}{
		"goes on":           {false, "0", 2, 3},
		"restart":           {true, "0", 0, 5},
		"days may be wrong": {false, "25 hours", 0, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBooks(t)
			b.exec(`UPDATE stats.daily_stats SET events = events + 1 WHERE lane = 0`)
			ctx, interrupt := context.WithCancel(t.Context())
			options := b.options()
			options.Done = func(d rebuild.Day) {
				if d.Day == b.day(1) {
					interrupt()
				}
			}
			if report, err := rebuild.Run(ctx, b.pool, options); err == nil || len(report.Done) != 2 {
				t.Fatalf("interrupted: %+v, %v", report, err)
			}
			b.exec(`UPDATE stats.rebuilds SET started_at = started_at - interval '` + test.age + `'`)
			options = b.options()
			options.Restart = test.restart
			var report rebuild.Report
			// The backend of the first holds the lock until it notices that nobody is there.
			platformtest.Eventually(t, 30*time.Second, "the lock is free", func() bool {
				var err error
				if report, err = rebuild.Run(t.Context(), b.pool, options); err != nil && !errors.Is(err, rebuild.ErrRunning) {
					t.Fatal(err)
				}
				return err == nil
			})
			if report.Resumed != test.resumed || len(report.Done) != test.done {
				t.Errorf("%d days were done before and %d now, want %d and %d", report.Resumed, len(report.Done), test.resumed, test.done)
			}
			b.mustBeRight()
		})
	}
}

// A script rebuilds one range after another: the lock is free when a rebuild has ended.
func TestOneRebuildAfterAnother(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	for range 30 {
		b.rebuildWith(rebuild.Options{From: b.day(0), To: b.day(0), Restart: true})
	}
}

func TestTwoRebuildsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	options := b.options()
	var second error
	options.Done = func(rebuild.Day) { _, second = rebuild.Run(t.Context(), b.pool, b.options()) }
	if _, err := rebuild.Run(t.Context(), b.pool, options); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(second, rebuild.ErrRunning) {
		t.Errorf("the second: %v", second)
	}
	b.mustBeRight()
}
