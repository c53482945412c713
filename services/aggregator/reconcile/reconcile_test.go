package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }

// books are rollups with the rows behind them, and the pool that reconciles them.
type books struct {
	t     *testing.T
	pool  *pgxpool.Pool // as the command uses it
	store postgres.Store
	*batchtest.Writer
	rows int64
}

// newBooks returns folded rollups of 60 batches.
func newBooks(t *testing.T) *books {
	t.Helper()
	database := dbtest.New(t)
	pool := database.Pool("hp_aggregator")
	b := &books{t: t, pool: pool, store: postgres.Store{Pool: pool, Lanes: 4, Rows: 300}, Writer: batchtest.New(t, database, 7)}
	for range 60 {
		b.write()
	}
	for b.Pending() > 0 {
		if _, err := b.store.Fold(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *books) write() {
	n := b.Size(30)
	b.Batch(n)
	b.rows += int64(n)
}

// reconcile returns the report and the differences that were printed.
func (b *books) reconcile(from, to *time.Time) (reconcile.Report, string) {
	b.t.Helper()
	var out strings.Builder
	report, err := reconcile.Run(b.t.Context(), b.pool, reconcile.Options{From: from, To: to, Details: &out})
	if err != nil {
		b.t.Fatal(err)
	}
	return report, out.String()
}

func TestEveryTamperingIsFound(t *testing.T) {
	t.Parallel()
	// Each changes one row.
	for name, test := range map[string]struct{ tamper, want string }{
		"a count too many": {
			`UPDATE stats.product_daily_stats SET views = views + 1 WHERE ctid = (SELECT ctid FROM stats.product_daily_stats ORDER BY views DESC LIMIT 1)`,
			"stats.product_daily 2026-01-",
		},
		"money missing": {
			`UPDATE stats.product_daily_stats SET revenue_minor = revenue_minor - 1 WHERE ctid = (SELECT ctid FROM stats.product_daily_stats WHERE revenue_minor > 0 LIMIT 1)`,
			"revenue_minor is ",
		},
		"a row missing":     {`DELETE FROM stats.product_daily_stats WHERE ctid = (SELECT ctid FROM stats.product_daily_stats WHERE events > 0 LIMIT 1)`, "stats.product_daily 2026-01-"},
		"a row too many":    {`INSERT INTO stats.product_daily_stats (product_id, day, lane, views) VALUES (gen_random_uuid(), '2026-01-02', 3, 1)`, "views is 1, recounted 0"},
		"a user's count":    {`UPDATE stats.user_daily_stats SET clicks = clicks + 2 WHERE ctid = (SELECT ctid FROM stats.user_daily_stats LIMIT 1)`, "stats.user_daily 2026-01-"},
		"a user made up":    {`INSERT INTO stats.user_daily_stats (user_id, day, lane, events) VALUES ('nobody', '2026-01-03', 0, 1)`, "stats.user_daily 2026-01-03 nobody: events is 1, recounted 0"},
		"a custom type":     {`UPDATE stats.product_type_daily_stats SET events = events + 1 WHERE ctid = (SELECT ctid FROM stats.product_type_daily_stats LIMIT 1)`, "stats.product_type_daily 2026-01-"},
		"a day's total":     {`UPDATE stats.daily_stats SET events = events + 1 WHERE day = '2026-01-04'`, "stats.daily 2026-01-04"},
		"a product's users": {`DELETE FROM stats.product_daily_users WHERE ctid = (SELECT ctid FROM stats.product_daily_users LIMIT 1)`, "unique users are about 0, recounted about "},
		"a day's users":     {`DELETE FROM stats.daily_users WHERE day = '2026-01-01'`, "stats.daily_users 2026-01-01: unique users are about 0"},
		"a user missing":    {`DELETE FROM stats.user_daily_stats WHERE ctid = (SELECT ctid FROM stats.user_daily_stats WHERE events > 0 LIMIT 1)`, "events is 0, recounted "},
		"a type made up":    {`INSERT INTO stats.product_type_daily_stats (product_id, day, type, lane, events) VALUES (gen_random_uuid(), '2026-01-02', 'nothing', 0, 1)`, " nothing: events is 1, recounted 0"},
		"a type missing":    {`DELETE FROM stats.product_type_daily_stats WHERE ctid = (SELECT ctid FROM stats.product_type_daily_stats LIMIT 1)`, "events is 0, recounted "},
		"a type's total":    {`UPDATE stats.type_daily_stats SET events = events + 1 WHERE ctid = (SELECT ctid FROM stats.type_daily_stats LIMIT 1)`, "stats.type_daily 2026-01-"},
		"a total made up":   {`INSERT INTO stats.type_daily_stats (day, type, lane, events) VALUES ('2026-01-02', 'nothing', 0, 1)`, "stats.type_daily 2026-01-02 nothing: events is 1, recounted 0"},
		"a total missing":   {`DELETE FROM stats.type_daily_stats WHERE ctid = (SELECT ctid FROM stats.type_daily_stats LIMIT 1)`, "stats.type_daily 2026-01-"},
		"other users": {
			`UPDATE stats.product_daily_users SET sketch = (SELECT sketch FROM stats.product_daily_users ORDER BY length(sketch) DESC LIMIT 1)
			 WHERE ctid = (SELECT ctid FROM stats.product_daily_users ORDER BY length(sketch) LIMIT 1)`,
			"unique users are about ",
		},
		"an unreadable sketch": {
			`UPDATE stats.product_daily_users SET sketch = '\x0102' WHERE ctid = (SELECT ctid FROM stats.product_daily_users LIMIT 1)`,
			"unique users cannot be read",
		},
		"users of nothing": {
			`INSERT INTO stats.product_daily_users (product_id, day, lane, sketch) SELECT gen_random_uuid(), day, lane, sketch FROM stats.daily_users LIMIT 1`,
			"recounted about 0",
		},
		"a raw row lost":      {`DELETE FROM ingest.events WHERE ctid IN (SELECT ctid FROM ingest.events WHERE ts < '2026-01-02' LIMIT 1) AND ts < '2026-01-02'`, "recounted "},
		"a receipt too large": {`UPDATE ingest.batches SET rows = rows + 1 WHERE id = (SELECT id FROM ingest.batches LIMIT 1)`, "the receipt says "},
		"a product deleted":   {`DELETE FROM catalog.products WHERE sku = 'sku-1'`, "rows are about product 00000000-0000-7000-8000-000000000001"},
		"a batch not folded":  {`UPDATE ingest.batches SET aggregated_at = NULL WHERE id = (SELECT id FROM ingest.batches WHERE rows > 0 LIMIT 1)`, "recounted "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBooks(t)
			if report, out := b.reconcile(nil, nil); report.Differences != 0 || report.Rows != b.rows || report.Compared == 0 {
				t.Fatalf("before: %+v, %d rows were written:\n%s", report, b.rows, out)
			}
			tag, err := b.Pool.Exec(t.Context(), test.tamper)
			if err != nil || tag.RowsAffected() != 1 {
				t.Fatalf("tampered with %d rows, %v", tag.RowsAffected(), err)
			}
			report, out := b.reconcile(nil, nil)
			if report.Differences == 0 || strings.Count(out, "\n") != report.Differences || !strings.Contains(out, test.want) {
				t.Errorf("%d differences, no %q in:\n%s", report.Differences, test.want, out)
			}
		})
	}
}

// TestDifferencesAreSummedUp checks the report of each table, and that days read together are told apart.
func TestDifferencesAreSummedUp(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	for _, tamper := range []string{
		`INSERT INTO stats.user_daily_stats (user_id, day, lane, events) SELECT 'nobody', day, 0, 1 FROM stats.daily WHERE day IN ('2026-01-02', '2026-01-04')`,
		`INSERT INTO stats.type_daily_stats (day, type, lane, events) VALUES ('2026-01-03', 'nothing', 0, 1)`,
		`UPDATE ingest.batches SET rows = rows + 1 WHERE id = (SELECT id FROM ingest.batches LIMIT 1)`,
	} {
		if _, err := b.Pool.Exec(t.Context(), tamper); err != nil {
			t.Fatal(err)
		}
	}
	report, out := b.reconcile(nil, nil)
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	want := []reconcile.Table{
		{Name: "ingest.batches", Differences: 1},
		{Name: "stats.type_daily", Differences: 1, First: day(3), Last: day(3)},
		{Name: "stats.user_daily", Differences: 2, First: day(2), Last: day(4)},
	}
	if diff := cmp.Diff(want, report.Tables); diff != "" || report.Differences != 4 {
		t.Errorf("%d differences (-want +got):\n%s\n%s", report.Differences, diff, out)
	}
}

func TestPendingRowsAreNoDifference(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	folded := b.rows
	for range 5 {
		b.write()
	}
	report, out := b.reconcile(nil, nil)
	if report.Differences != 0 || report.Rows != folded || report.PendingRows != b.rows-folded {
		t.Errorf("%+v, want %d rows and %d pending:\n%s", report, folded, b.rows-folded, out)
	}
}

// TestFailedBatchesAreNamed checks that a batch that is set aside is named, and its rows are not expected in the rollups.
func TestFailedBatchesAreNamed(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	folded := b.rows
	failed := b.Batch(7)
	const setAside = `UPDATE ingest.batches SET failed_at = now(), next_attempt_at = now(), failure = 'why' WHERE id = $1`
	if _, err := b.Pool.Exec(t.Context(), setAside, failed); err != nil {
		t.Fatal(err)
	}
	report, out := b.reconcile(nil, nil)
	want := []reconcile.FailedBatch{{ID: failed, Rows: 7, Failure: "why"}}
	if diff := cmp.Diff(want, report.Failed); diff != "" || report.Differences != 0 || report.Rows != folded || report.PendingRows != 0 {
		t.Errorf("%+v, failed (-want +got):\n%s\n%s", report, diff, out)
	}
}

func TestRange(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	if _, err := b.Pool.Exec(t.Context(), `UPDATE stats.daily_stats SET events = events + 1`); err != nil {
		t.Fatal(err)
	}
	second, third := b.First.AddDate(0, 0, 1), b.First.AddDate(0, 0, 2)
	for name, test := range map[string]struct {
		from, to *time.Time
		want     int
	}{
		"all":        {nil, nil, 5},
		"one day":    {&second, &second, 1},
		"two days":   {&second, &third, 2},
		"from a day": {&third, nil, 3},
		"to a day":   {nil, &second, 2},
		"none":       {&third, &second, 0},
	} {
		if report, out := b.reconcile(test.from, test.to); report.Differences != test.want {
			t.Errorf("%s: %d differences, want %d:\n%s", name, report.Differences, test.want, out)
		}
	}
}

// TestEveryRollupNamesItsDays puts a row into each rollup, on a day that has nothing else.
func TestEveryRollupNamesItsDays(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	var want []time.Time
	for i, insert := range []string{
		`stats.daily_stats (day, lane) VALUES ($1, 0)`,
		`stats.product_daily_stats (day, lane, product_id) VALUES ($1, 0, gen_random_uuid())`,
		`stats.user_daily_stats (day, lane, user_id) VALUES ($1, 0, 'ada')`,
		`stats.product_type_daily_stats (day, lane, product_id, type, events) VALUES ($1, 0, gen_random_uuid(), 'search', 1)`,
		`stats.type_daily_stats (day, lane, type, events) VALUES ($1, 0, 'search', 1)`,
		`stats.product_daily_users (day, lane, product_id, sketch) VALUES ($1, 0, gen_random_uuid(), '')`,
		`stats.daily_users (day, lane, sketch) VALUES ($1, 0, '')`,
	} {
		want = append(want, time.Date(2025, 1, 1+i, 0, 0, 0, 0, time.UTC))
		if _, err := b.Pool.Exec(t.Context(), `INSERT INTO `+insert, want[i]); err != nil {
			t.Fatal(err)
		}
	}
	report, _ := b.reconcile(nil, nil)
	if diff := cmp.Diff(want, report.Unchecked); diff != "" {
		t.Errorf("unchecked days (-want +got):\n%s", diff)
	}
}

// TestDaysWithoutRawRows checks that rollups whose raw rows were dropped are named and not called wrong.
func TestDaysWithoutRawRows(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	// A late event asks for the partition of the second of the dropped days.
	const drop = `SELECT ingest.drop_partitions_before('2026-01-03', false); SELECT ingest.ensure_partitions('2026-01-02', '2026-01-02')`
	if _, err := b.Pool.Exec(t.Context(), drop); err != nil {
		t.Fatal(err)
	}
	report, out := b.reconcile(nil, nil)
	if diff := cmp.Diff([]time.Time{b.First, b.First.AddDate(0, 0, 1)}, report.Unchecked); diff != "" || report.Differences != 0 {
		t.Errorf("%d differences:\n%sunchecked (-want +got):\n%s", report.Differences, out, diff)
	}
}
