package reconcile_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/stats"
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
	const writes = 60
	for range writes / 2 {
		b.write()
	}
	b.fold()
	b.merge()
	for range writes / 2 {
		b.write()
	}
	b.fold()
	return b
}

// fold folds all that is pending.
func (b *books) fold() {
	b.t.Helper()
	for b.Pending() > 0 {
		if _, err := b.store.Fold(b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
	}
}

// merge merges the segments of all days, and makes blocks of them.
func (b *books) merge() {
	b.t.Helper()
	if n, err := b.store.MergeSegments(b.t.Context(), 1); err != nil || n == 0 {
		b.t.Fatalf("merged %d segments, %v", n, err)
	}
	if n, err := b.store.BlockSegments(b.t.Context(), b.First.AddDate(0, 1, 0)); err != nil || n == 0 {
		b.t.Fatalf("made %d blocks, %v", n, err)
	}
}

func (b *books) write() {
	n := b.Size(30)
	b.Batch(n)
	b.rows += int64(n)
}

// reconcile returns the report and the differences that were printed.
func (b *books) reconcile(from, to *time.Time) (reconcile.Report, string) {
	b.t.Helper()
	return b.run(reconcile.Options{From: from, To: to})
}

func (b *books) run(o reconcile.Options) (reconcile.Report, string) {
	b.t.Helper()
	var out strings.Builder
	o.Details = &out
	report, err := reconcile.Run(b.t.Context(), b.pool, o)
	if err != nil {
		b.t.Fatal(err)
	}
	return report, out.String()
}

// littleMemory makes a reconciliation divide the days of these tests by their products and users.
const littleMemory = 20_000

func TestEveryTamperingIsFound(t *testing.T) {
	t.Parallel()
	// Each changes one row.
	const day = `'2026-01-02'`
	one := func(table, condition string) string {
		return ` WHERE ctid = (SELECT ctid FROM ` + table + ` WHERE ` + condition + ` LIMIT 1)`
	}
	// ofEvent selects one raw event: its partition has to be named, because ctid is that within a partition.
	const ofEvent = ` WHERE (ts, id) = (SELECT ts, id FROM ingest.events ORDER BY ts LIMIT 1)`
	tests := map[string]struct{ tamper, want string }{
		"money missing": {
			`UPDATE stats.product_daily_revenue SET gross_minor = gross_minor - 1` + one("stats.product_daily_revenue", "gross_minor > 0"),
			"gross_minor is ",
		},
		"a user made up":            {`INSERT INTO stats.user_daily_stats (project, user_n, day, lane, events) VALUES (1, 99, ` + day + `, 0, 1)`, "default stats.user_daily 2026-01-02 99: events is 1, recounted 0"},
		"an hour made up":           {`INSERT INTO stats.hourly_stats (project, hour, lane, views) VALUES (1, '2026-01-03 12:34Z', 0, 1)`, "default stats.hourly 2026-01-03 12:34: views is 1, recounted 0"},
		"a currency made up":        {`INSERT INTO stats.daily_revenue (project, day, currency, lane, orders) VALUES (1, ` + day + `, 'XAU', 0, 1)`, "default stats.daily_money 2026-01-02 XAU: orders is 1, recounted 0"},
		"a number of no product":    {`INSERT INTO stats.product_daily_stats (project, product, day, lane, views) VALUES (1, 123456, ` + day + `, 3, 1)`, "2026-01-02 123456: views is 1, recounted 0"},
		"the name of a usual event": {`INSERT INTO stats.product_name_daily_stats (project, product, name, day, lane, events) SELECT 1, n, 1, ` + day + `, 0, 1 FROM catalog.products LIMIT 1`, "stats.product_name_daily 2026-01-02 sku-1 view: events is 1, recounted 0"},
		"another project's row":     {`UPDATE stats.name_daily_stats SET project = 2` + one("stats.name_daily_stats", "true"), "events is 0, recounted "},
		"other users": {`UPDATE stats.product_daily_users SET sketch = (SELECT sketch FROM stats.product_daily_users ORDER BY length(sketch) DESC LIMIT 1)
			 WHERE ctid = (SELECT ctid FROM stats.product_daily_users ORDER BY length(sketch) LIMIT 1)`, "unique users are about "},
		"an unreadable sketch": {`UPDATE stats.product_daily_users SET sketch = '\x0102'` + one("stats.product_daily_users", "true"), "unique users cannot be read"},
		"users of nothing":     {`INSERT INTO stats.product_daily_users (project, product, day, lane, sketch) SELECT 1, 99, day, lane, sketch FROM stats.daily_users LIMIT 1`, "recounted about 0"},
		"a set of nothing":     {`INSERT INTO stats.daily_user_sets (project, day, chunk, lane, users) SELECT 1, day, 7, 0, users FROM stats.daily_user_sets LIMIT 1`, "users are missing"},
		"an unreadable set": {`UPDATE stats.daily_user_sets SET users = '\x0102'
			 WHERE ctid = (SELECT ctid FROM stats.daily_user_sets AS s ORDER BY (SELECT sum(events) FROM stats.daily AS d WHERE d.project = s.project AND d.day = s.day) DESC LIMIT 1)`, "the users cannot be read"},
		"a value of a segment":     {`UPDATE stats.product_segments SET views = set_byte(views, 0, get_byte(views, 0) + 1)` + one("stats.product_segments", "length(views) > 0 AND get_byte(views, 0) < 100"), "default stats.product_segments 2026-01-"},
		"a total of a segment":     {`UPDATE stats.product_segments SET totals = set_byte(totals, 0, get_byte(totals, 0) # 1)` + one("stats.product_segments", "true"), "a segment cannot be read: its totals are "},
		"a product of a segment":   {`UPDATE stats.product_segments SET products = set_byte(products, 0, get_byte(products, 0) + 20)` + one("stats.product_segments", "true"), "products differ"},
		"a segment cut short":      {`UPDATE stats.product_segments SET units = ''` + one("stats.product_segments", "true"), "a segment cannot be read: the segment is damaged"},
		"money of a segment":       {`UPDATE stats.product_revenue_segments SET orders = set_byte(orders, 0, 9), totals = set_byte(totals, 0, get_byte(totals, 0))` + one("stats.product_revenue_segments", "get_byte(orders, 0) < 9"), "default stats.product_revenue_segments 2026-01-"},
		"a segment missing":        {`DELETE FROM stats.product_segments` + one("stats.product_segments", "days = 1"), "default stats.product_segments 2026-01-"},
		"a segment twice":          {`INSERT INTO stats.product_segments (project, merged, days, day, totals, products, events, views, clicks, add_to_carts, purchases, units) SELECT project, merged, days, day, totals, products, events, views, clicks, add_to_carts, purchases, units FROM stats.product_segments WHERE days = 1 LIMIT 1`, "products differ"},
		"a segment of no row":      {`INSERT INTO stats.product_segments (project, merged, days, day, totals, products, events, views, clicks, add_to_carts, purchases, units) VALUES (1, true, 1, '2026-02-01', '\x010000000000', '\x07', '\x01', '\x00', '\x00', '\x00', '\x00', '\x00')`, "default stats.product_segments 2026-02-01: 1 products differ; events, views, clicks, add_to_carts, purchases, units of product number 7 are [1 0 0 0 0 0], those of the rows are []"},
		"a block":                  {`UPDATE stats.product_segments SET products = set_byte(products, 0, get_byte(products, 0) + 20)` + one("stats.product_segments", "days = 8"), "those of its days are "},
		"a raw row lost":           {`DELETE FROM ingest.events` + ofEvent, "recounted "},
		"an event at another hour": {`UPDATE ingest.events SET ts = date_trunc('day', ts) + (extract(hour FROM ts)::int + 12) % 24 * interval '1 hour'` + ofEvent, "stats.hourly"},
		"an event of another user": {`UPDATE ingest.events SET user_n = (SELECT max(n) FROM ingest.users WHERE project = 1)` + ofEvent, "stats.user_daily"},
		"a receipt too large":      {`UPDATE ingest.batches SET rows = rows + 1` + one("ingest.batches", "true"), "the receipt says "},
		"a batch not folded":       {`UPDATE ingest.batches SET aggregated_at = NULL` + one("ingest.batches", "rows > 0"), "recounted "},
		"a product deleted":        {`DELETE FROM catalog.products WHERE project = 1 AND sku = 'sku-1'`, "default catalog.products number "},
		"a name deleted":           {`DELETE FROM ingest.names WHERE project = 1 AND name = 'Signed Up'`, "default ingest.names number 18: "},
		"a user deleted":           {`DELETE FROM ingest.users WHERE project = 1 AND id = 'user-1'`, "the project has no such user"},
		"a user's time too late":   {`UPDATE ingest.users SET first_seen = first_seen + interval '1 us'` + one("ingest.users", "first_seen IS NOT NULL"), ": first_seen is "},
		"a user's time too early":  {`UPDATE ingest.users SET first_seen = first_seen - interval '1 us'` + one("ingest.users", "first_seen IS NOT NULL"), ": first_seen is "},
		"a user's time missing":    {`UPDATE ingest.users SET first_seen = NULL` + one("ingest.users", "first_seen IS NOT NULL"), "first_seen is missing"},
		"a user without rows":      {`INSERT INTO ingest.users (project, anonymous, id, first_seen) VALUES (1, true, 'ghost', '2026-01-02')`, "default ingest.users ghost: first_seen is 2026-01-02 00:00:00+00, but there are no raw rows"},
		"a line of an order lost":  {`DELETE FROM ingest.order_lines` + one("ingest.order_lines", "refunded_minor = 0 AND refunded_units = 0"), "it says "},
		"a line of a refund lost":  {`DELETE FROM ingest.refund_lines` + one("ingest.refund_lines", "amount_minor > 0"), "its refunds are of "},
		"an order lost":            {`DELETE FROM ingest.orders` + one("ingest.orders", "true"), "there is no such order"},
		"a line at another time":   {`UPDATE ingest.order_lines SET ts = ts + interval '1 s'` + one("ingest.order_lines", "true"), "that of the order is "},
		"a refund of more":         {`UPDATE ingest.order_lines SET refunded_minor = refunded_minor + 1` + one("ingest.order_lines", "refunded_minor < amount_minor"), "its refunds are of "},
		"a refund of nothing":      {`UPDATE ingest.refunds SET order_id = gen_random_uuid()` + one("ingest.refunds", "true"), "ingest.refunds "},
		"a refund of another user": {`UPDATE ingest.refunds SET user_n = user_n + 1` + one("ingest.refunds", "true"), "its user or currency is not that of the order"},
		"a refund of another line": {`UPDATE ingest.refund_lines SET line = 99` + one("ingest.refund_lines", "true"), "the order has no such line of this product"},
	}
	// Each value of each rollup of sums is a little too large, and a row of each rollup is missing.
	for table, values := range map[string][]string{
		"daily": stats.Columns(), "hourly": stats.Columns(), "product_daily": stats.Columns(), "product_hourly": stats.Columns(), "user_daily": stats.Columns(),
		"name_daily": {"events"}, "name_hourly": {"events"}, "product_name_daily": {"events"},
		"daily_revenue": stats.MoneyColumns(), "hourly_revenue": stats.MoneyColumns(), "product_daily_revenue": stats.MoneyColumns(),
		"product_hourly_revenue": stats.MoneyColumns(), "user_daily_revenue": stats.MoneyColumns(),
	} {
		stored, view := "stats."+table, "stats."+table
		if name, ok := strings.CutSuffix(view, "_revenue"); ok {
			view = name + "_money"
		} else {
			stored += "_stats"
		}
		add := strings.Join(values, " + 1, ")
		tests[table+": too large"] = struct{ tamper, want string }{
			`UPDATE ` + stored + ` SET (` + strings.Join(values, ", ") + `) = ROW (` + add + ` + 1)` + one(stored, "true"), "default " + view + " 2026-01-",
		}
		tests[table+": missing"] = struct{ tamper, want string }{`DELETE FROM ` + stored + one(stored, "true"), "default " + view + " 2026-01-"}
	}
	for _, table := range []string{"product_daily_users", "name_daily_users", "daily_users", "daily_user_sets"} {
		tests[table+": missing"] = struct{ tamper, want string }{`DELETE FROM stats.` + table + one("stats."+table, "true"), "default stats." + table + " 2026-01-"}
	}
	b := newBooks(t)
	if report, out := b.reconcile(nil, nil); report.Differences != 0 || report.Rows != b.rows || report.Compared == 0 {
		t.Fatalf("before: %+v, %d rows were written:\n%s", report, b.rows, out)
	}
	b.save()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tag, err := b.Pool.Exec(t.Context(), test.tamper)
			if err != nil || tag.RowsAffected() != 1 {
				t.Fatalf("tampered with %d rows, %v", tag.RowsAffected(), err)
			}
			report, out := b.reconcile(nil, nil)
			divided, ofDivided := b.run(reconcile.Options{}.Within(littleMemory))
			b.restore()
			if divided.Differences != report.Differences || divided.Rows != report.Rows || !slices.Equal(sortedLines(ofDivided), sortedLines(out)) {
				t.Errorf("with little memory %d differences, %d rows, want %d and %d:\n%s\nwant:\n%s",
					divided.Differences, divided.Rows, report.Differences, report.Rows, ofDivided, out)
			}
			if report.Differences == 0 || strings.Count(out, "\n") != report.Differences || !strings.Contains(out, test.want) {
				t.Errorf("%d differences, no %q in:\n%s", report.Differences, test.want, out)
			}
		})
	}
	if report, out := b.reconcile(nil, nil); report.Differences != 0 || report.Rows != b.rows {
		t.Errorf("after: %+v, %d rows were written:\n%s", report, b.rows, out)
	}
}

func sortedLines(text string) []string { return slices.Sorted(strings.Lines(text)) }

// save remembers the content of all tables that are recounted or referred to.
func (b *books) save() {
	b.t.Helper()
	b.exec(`
		CREATE SCHEMA saved;
		DO $$ DECLARE t record; BEGIN
			FOR t IN
				SELECT table_schema AS s, table_name AS n FROM information_schema.tables
				WHERE table_type = 'BASE TABLE' AND (table_schema = 'stats' AND table_name NOT LIKE 'rebuild%'
					OR (table_schema, table_name) IN (('catalog', 'products'), ('ingest', 'users'), ('ingest', 'names'), ('ingest', 'batches'), ('ingest', 'events'),
						('ingest', 'orders'), ('ingest', 'order_lines'), ('ingest', 'refunds'), ('ingest', 'refund_lines')))
			LOOP
				EXECUTE format('CREATE TABLE saved.%I AS SELECT * FROM %I.%I', t.s || '.' || t.n, t.s, t.n);
			END LOOP;
		END $$`)
}

// restore brings back what save has remembered.
func (b *books) restore() {
	b.t.Helper()
	b.exec(`
		DO $$ DECLARE t record; columns text; BEGIN
			FOR t IN SELECT table_name AS saved, split_part(table_name, '.', 1) AS s, split_part(table_name, '.', 2) AS n FROM information_schema.tables WHERE table_schema = 'saved'
			LOOP
				EXECUTE format('DELETE FROM %I.%I', t.s, t.n);
				SELECT string_agg(quote_ident(column_name), ', ') INTO columns FROM information_schema.columns
					WHERE table_schema = t.s AND table_name = t.n AND is_generated = 'NEVER';
				EXECUTE format('INSERT INTO %I.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM saved.%I', t.s, t.n, columns, columns, t.saved);
			END LOOP;
		END $$`)
}

func (b *books) exec(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.Pool.Exec(b.t.Context(), sql, args...); err != nil {
		b.t.Fatal(err)
	}
}

// TestDifferencesAreSummedUp checks the report of each table, and that days read together are told apart.
func TestDifferencesAreSummedUp(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	for _, tamper := range []string{
		`INSERT INTO stats.user_daily_stats (project, user_n, day, lane, events) SELECT 1, 99, day, 0, 1 FROM stats.daily WHERE day IN ('2026-01-02', '2026-01-04')`,
		`INSERT INTO stats.name_daily_stats (project, name, day, lane, events) VALUES (1, 99, '2026-01-03', 0, 1)`,
		`UPDATE ingest.batches SET rows = rows + 1 WHERE id = (SELECT id FROM ingest.batches LIMIT 1)`,
	} {
		if _, err := b.Pool.Exec(t.Context(), tamper); err != nil {
			t.Fatal(err)
		}
	}
	report, out := b.reconcile(nil, nil)
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	want := []reconcile.Table{
		{Project: "default", Name: "ingest.batches", Differences: 1},
		{Project: "default", Name: "stats.name_daily", Differences: 1, First: day(3), Last: day(3)},
		{Project: "default", Name: "stats.user_daily", Differences: 2, First: day(2), Last: day(4)},
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
	want := []reconcile.FailedBatch{{ID: failed, Project: "default", Rows: 7, Failure: "why"}}
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
		`daily_stats (project, day, lane) VALUES (1, $1, 0)`,
		`hourly_stats (project, hour, lane) VALUES (1, $1, 0)`,
		`product_daily_stats (project, day, lane, product) VALUES (1, $1, 0, 9)`,
		`product_hourly_stats (project, hour, lane, product) VALUES (1, $1, 0, 9)`,
		`user_daily_stats (project, day, lane, user_n) VALUES (1, $1, 0, 9)`,
		`name_daily_stats (project, day, lane, name) VALUES (1, $1, 0, 9)`,
		`name_hourly_stats (project, hour, lane, name) VALUES (1, $1, 0, 9)`,
		`product_name_daily_stats (project, day, lane, product, name) VALUES (1, $1, 0, 9, 99)`,
		`daily_revenue (project, day, lane, currency) VALUES (1, $1, 0, 'EUR')`,
		`hourly_revenue (project, hour, lane, currency) VALUES (1, $1, 0, 'EUR')`,
		`product_daily_revenue (project, day, lane, product, currency) VALUES (1, $1, 0, 9, 'EUR')`,
		`product_hourly_revenue (project, hour, lane, product, currency) VALUES (1, $1, 0, 9, 'EUR')`,
		`user_daily_revenue (project, day, lane, user_n, currency) VALUES (1, $1, 0, 9, 'EUR')`,
		`daily_users (project, day, lane, sketch) VALUES (1, $1, 0, '')`,
		`product_daily_users (project, day, lane, product, sketch) VALUES (1, $1, 0, 9, '')`,
		`name_daily_users (project, day, lane, name, sketch) VALUES (1, $1, 0, 9, '')`,
		`daily_user_sets (project, day, lane, chunk, users) VALUES (1, $1, 0, 9, '')`,
	} {
		day := time.Date(2025, 1, 1+i, 0, 0, 0, 0, time.UTC)
		want = append(want, day)
		b.exec(`INSERT INTO stats.`+insert, day)
		b.exec(`INSERT INTO ingest.dropped_days (project, day) VALUES (1, $1)`, day)
	}
	report, _ := b.reconcile(nil, nil)
	if diff := cmp.Diff([]reconcile.Unchecked{{Project: "default", Days: want}}, report.Unchecked); diff != "" {
		t.Errorf("unchecked days (-want +got):\n%s", diff)
	}
}

// TestDaysWithoutRawRows checks that rollups whose raw rows were dropped are named and not called wrong.
func TestDaysWithoutRawRows(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	// A late event asks for the partition of the second of the dropped days.
	const drop = `SELECT ingest.drop_partitions_before('2026-01-05', false); SELECT ingest.ensure_partitions('2026-01-02', '2026-01-02')`
	if _, err := b.Pool.Exec(t.Context(), drop); err != nil {
		t.Fatal(err)
	}
	report, out := b.reconcile(nil, nil)
	if diff := cmp.Diff([]reconcile.Unchecked{{Project: "default", Days: []time.Time{b.First, b.First.AddDate(0, 0, 1), b.First.AddDate(0, 0, 2), b.First.AddDate(0, 0, 3)}}}, report.Unchecked); diff != "" || report.Differences != 0 {
		t.Errorf("%d differences:\n%sunchecked (-want +got):\n%s", report.Differences, out, diff)
	}
}

// TestOneProject checks that a reconciliation of one project leaves out what is wrong, pending and failed in others.
func TestOneProject(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	shop := b.InProject("shop", "Asia/Kolkata")
	shop.Events(20)
	for b.Pending() > 0 {
		if _, err := b.store.Fold(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b.exec(`UPDATE stats.daily_stats SET views = views + 1`)
	b.exec(`UPDATE ingest.batches SET rows = rows + 1`)
	b.exec(`UPDATE ingest.batches SET failed_at = now(), next_attempt_at = now(), failure = 'why' WHERE id = $1`, b.Batch(3))
	b.Batch(4)
	run := func(project string) (reconcile.Report, error) {
		return reconcile.Run(t.Context(), b.pool, reconcile.Options{Project: project, Details: t.Output()})
	}
	report, err := run("shop")
	if err != nil || report.Projects != 1 || report.Rows != 20 || report.PendingRows != 0 || len(report.Failed) != 0 || report.Differences == 0 {
		t.Errorf("%+v, %v", report, err)
	}
	for _, table := range report.Tables {
		if table.Project != "shop" || table.Name != "stats.daily" && table.Name != "ingest.batches" {
			t.Errorf("%+v", table)
		}
	}
	if report, err := run("default"); err != nil || report.PendingRows != 4 || len(report.Failed) != 1 {
		t.Errorf("the other one: %+v, %v", report, err)
	}
	if _, err := run("nowhere"); !errors.Is(err, reconcile.ErrNoProject) {
		t.Errorf("a project that is not: %v", err)
	}
}

// A read-only database, such as a standby, can be recounted. Only the result is not stored.
func TestReadOnlyDatabase(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.exec(`INSERT INTO stats.daily_stats (project, day, lane, views) VALUES (1, '2026-01-02', 99, 1)`)
	cfg := b.pool.Config()
	cfg.ConnConfig.ValidateConnect = nil // as target_session_attrs=any
	cfg.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	standby, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer standby.Close()
	var out strings.Builder
	report, err := reconcile.Run(t.Context(), standby, reconcile.Options{Details: &out})
	if _, readOnly := platformpostgres.IsCode(err, platformpostgres.ReadOnlyTransaction); !errors.Is(err, reconcile.ErrNotRecorded) || !readOnly {
		t.Errorf("the error is %v", err)
	}
	if report.Differences != 1 || report.Rows != b.rows || report.Days == 0 || out.Len() == 0 {
		t.Errorf("the report of a read-only database: %+v\n%s", report, &out)
	}
}

// The result of each reconciliation is recorded by project, with what it has found.
func TestResultsAreRecorded(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	report, _ := b.reconcile(nil, nil)
	if _, err := b.pool.Exec(t.Context(), `INSERT INTO stats.daily_stats (project, day, lane, views) VALUES (1, '2026-01-02', 99, 1)`); err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	b.reconcile(&day, &day)
	type result struct {
		Rows                       int64
		Days, Differences, Unbound int
	}
	rows, _ := b.pool.Query(t.Context(), `SELECT sum(rows)::bigint, sum(days)::int, sum(differences)::int, count(*) FILTER (WHERE from_day IS NULL AND to_day IS NULL)::int
		FROM stats.reconciles WHERE begun_at <= finished_at GROUP BY begun_at ORDER BY begun_at`) // CollectRows returns its error
	got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[result])
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if want := (result{report.Rows, report.Days, 0, report.Projects}); got[0] != want {
		t.Errorf("recorded %+v, want %+v", got[0], want)
	}
	if got[1].Differences != 1 || got[1].Unbound != 0 || got[1].Days >= got[0].Days {
		t.Errorf("recorded %+v of a day with a difference", got[1])
	}

	// Many results of some days push no result of all days out.
	b.exec(`INSERT INTO stats.reconciles (project, begun_at, from_day, to_day, days, rows, compared, differences)
		SELECT 1, now(), '2026-01-02', '2026-01-02', 1, 1, 1, 0 FROM generate_series(1, 200)`)
	b.reconcile(&day, &day)
	var whole, some int
	if err := b.pool.QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE from_day IS NULL), count(from_day) FROM stats.reconciles WHERE project = 1`).Scan(&whole, &some); err != nil || whole != 1 || some != 100 {
		t.Errorf("%d results of all days and %d of some are kept, %v; want 1 and 100", whole, some, err)
	}
}
