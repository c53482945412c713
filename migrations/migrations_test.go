package migrations_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/migrations/migrate"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }

// describe lists everything in the schemas of the platform: columns, indexes, constraints, functions, grants, comments.
const describe = `
	WITH ours AS (
		SELECT oid, nspname FROM pg_namespace WHERE nspname IN ('audit', 'auth', 'catalog', 'ingest', 'stats', 'shadow', 'workspace')
	), lines AS (
		SELECT 'schema ' || nspname || coalesce(' ' || obj_description(oid, 'pg_namespace'), '') AS line FROM ours
		UNION ALL
		SELECT format('column %s.%s.%s %s %s %s %s %s', nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
		              a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attacl, col_description(c.oid, a.attnum))
		FROM ours JOIN pg_class c ON c.relnamespace = ours.oid AND c.relkind IN ('r', 'p', 'v')
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
		LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
		UNION ALL
		SELECT format('relation %s.%s %s %s %s %s', nspname, c.relname, c.relkind, c.reloptions, c.relacl,
		              obj_description(c.oid, 'pg_class'))
		FROM ours JOIN pg_class c ON c.relnamespace = ours.oid
		UNION ALL
		SELECT 'index ' || pg_get_indexdef(i.indexrelid)
		FROM ours JOIN pg_class c ON c.relnamespace = ours.oid JOIN pg_index i ON i.indrelid = c.oid
		UNION ALL
		SELECT format('constraint %s %s', conname, pg_get_constraintdef(k.oid)) FROM ours JOIN pg_constraint k ON k.connamespace = ours.oid
		UNION ALL
		SELECT format('function %s %s %s', p.oid::regprocedure, CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END, p.proacl) FROM ours JOIN pg_proc p ON p.pronamespace = ours.oid
	)
	SELECT line FROM lines ORDER BY 1`

func schema(t *testing.T, db *pgxpool.Pool) []string {
	t.Helper()
	rows, err := db.Query(t.Context(), describe)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestDownAndUpAgainGivesTheSameSchema(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	db := database.Pool("")
	want := schema(t, db)
	if len(want) < 100 {
		t.Fatalf("only %d lines describe the schema", len(want))
	}

	// One step at a time, so that each down is tried on exactly what its up made.
	for version := migrations.Latest(); version > 0; version-- {
		if err := migrate.Down(t.Context(), database.URL(), platformtest.Logger(t), 1); err != nil {
			t.Fatal(err)
		}
		status, err := migrate.Inspect(t.Context(), database.URL())
		if err != nil || status.Version != version-1 || len(status.Pending) != int(migrations.Latest()-version+1) {
			t.Fatalf("after undoing %d: %+v, %v", version, status, err)
		}
	}
	if left := schema(t, db); len(left) != 0 {
		t.Errorf("left over after all downs:\n%s", strings.Join(left, "\n"))
	}
	if err := migrate.Up(t.Context(), database.URL(), platformtest.Logger(t)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, schema(t, db)); diff != "" {
		t.Errorf("(-first +again):\n%s", diff)
	}
}

func TestUpFromManyProcessesAtOnce(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	if err := migrate.Down(t.Context(), database.URL(), platformtest.Logger(t), 0); err != nil {
		t.Fatal(err)
	}
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = migrate.Up(t.Context(), database.URL(), platformtest.Discard()) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("process %d: %v", i, err)
		}
	}
	if status, err := migrate.Inspect(t.Context(), database.URL()); err != nil || status.Version != migrations.Latest() {
		t.Errorf("%+v, %v", status, err)
	}
}

func TestSchemaReady(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t).Pool("hp_analytics")
	if err := postgres.SchemaReady(db, migrations.Latest(), true)(t.Context()); err != nil {
		t.Errorf("up to date: %v", err)
	}
	if err := postgres.SchemaReady(db, migrations.Latest()+1, true)(t.Context()); err == nil || !strings.Contains(err.Error(), "run the migrations") {
		t.Errorf("too old: %v", err)
	}
}

func TestFilesAreOneSequence(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		direction := []string{"down", "up"}[i%2]
		if prefix := fmt.Sprintf("%06d_", i/2+1); !strings.HasPrefix(name, prefix) || !strings.HasSuffix(name, "."+direction+".sql") {
			t.Errorf("file %d is %s, want %s*.%s.sql", i, name, prefix, direction)
		}
	}
	if want := uint(len(names) / 2); migrations.Latest() != want {
		t.Errorf("Latest = %d, want %d", migrations.Latest(), want)
	}
}

func TestEverythingHasAComment(t *testing.T) {
	t.Parallel()
	const query = `
		SELECT format('%s.%s', nspname, c.relname)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE nspname IN ('audit', 'auth', 'catalog', 'ingest', 'stats', 'shadow', 'workspace') AND relkind IN ('r', 'p', 'v') AND obj_description(c.oid, 'pg_class') IS NULL
		UNION ALL
		SELECT format('%s.%s.%s', nspname, c.relname, attname)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE nspname IN ('audit', 'auth', 'catalog', 'ingest', 'stats', 'shadow', 'workspace') AND relkind IN ('r', 'p') AND attnum > 0 AND col_description(c.oid, attnum) IS NULL
		UNION ALL
		SELECT format('%s.%s()', nspname, proname)
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
		WHERE nspname IN ('audit', 'auth', 'catalog', 'ingest', 'stats', 'shadow', 'workspace') AND obj_description(p.oid, 'pg_proc') IS NULL`
	rows, err := dbtest.New(t).Pool("").Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	missing, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(missing) > 0 {
		t.Errorf("without a comment: %v %v", missing, err)
	}
}

func TestRolesMayTouchOnlyWhatIsTheirs(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	const denied = "42501" // insufficient_privilege
	cases := []struct {
		role, statement string
		allowed         bool
	}{
		{"hp_auth", `SELECT private_key FROM auth.signing_keys`, true},
		{"hp_auth", `SELECT text FROM workspace.annotations`, true},
		{"hp_analytics", `SELECT text FROM workspace.annotations`, false},
		{"hp_auth", `SELECT * FROM catalog.products`, false},
		{"hp_auth", `SELECT * FROM ingest.events`, false},
		{"hp_auth", `SELECT id FROM ingest.users`, false},
		{"hp_auth", `SELECT * FROM stats.zones, stats.zone_changes`, true},
		{"hp_auth", `UPDATE stats.zones SET time_zone = 'UTC'`, false},
		{"hp_auth", `DELETE FROM stats.zone_changes`, false},
		{"hp_auth", `SELECT id FROM ingest.orders`, false},
		{"hp_auth", `SELECT facts FROM ingest.batches`, false},
		{"hp_auth", `SELECT digest FROM ingest.erased_users`, false},
		{"hp_auth", `SELECT day FROM stats.daily_stats`, false},
		{"hp_auth", `SELECT day FROM stats.daily_revenue`, false},
		{"hp_catalog", `UPDATE catalog.products SET version = version`, true},
		{"hp_catalog", `DELETE FROM catalog.products`, false},
		{"hp_catalog", `SELECT id, owner, project, key_hash, scopes, unknown_products, kind, origins, default_sku, events_per_minute, drop_bots, expires_at, last_used_at, revoked_at FROM auth.api_keys`, true},
		{"hp_catalog", `UPDATE auth.api_keys SET last_used_at = now()`, true},
		{"hp_catalog", `UPDATE auth.api_keys SET revoked_at = NULL`, false},
		{"hp_catalog", `UPDATE auth.api_keys SET project = project`, false},
		{"hp_catalog", `SELECT name FROM auth.api_keys`, false},
		{"hp_catalog", `SELECT id, role, disabled_at FROM auth.users`, true},
		{"hp_catalog", `SELECT email FROM auth.users`, false},
		{"hp_catalog", `SELECT * FROM auth.projects`, true},
		{"hp_catalog", `SELECT * FROM auth.members`, true},
		{"hp_catalog", `UPDATE auth.projects SET name = name`, false},
		{"hp_catalog", `UPDATE auth.members SET role = role`, false},
		{"hp_catalog", `SELECT * FROM auth.invitations`, false},
		{"hp_ingest", `SELECT id, n, sku FROM catalog.products`, true},
		{"hp_ingest", `INSERT INTO catalog.products (id, project, placeholder, sku, name, price_minor, currency)
			VALUES (gen_random_uuid(), 1, true, 'new', 'new', 0, 'EUR')`, true},
		{"hp_ingest", `INSERT INTO catalog.products (id, project, sku, name, price_minor, currency, status)
			VALUES (gen_random_uuid(), 1, 'archived', 'archived', 0, 'EUR', 'archived')`, false},
		{"hp_ingest", `UPDATE catalog.products SET version = version`, false},
		{"hp_ingest", `SELECT * FROM auth.users`, false},
		{"hp_ingest", `SELECT * FROM auth.projects`, true},
		{"hp_ingest", `SELECT * FROM ingest.events`, true},
		{"hp_ingest", `DELETE FROM ingest.events`, false},
		{"hp_ingest", `UPDATE ingest.users SET first_seen = now()`, true},
		{"hp_ingest", `DELETE FROM ingest.users`, false},
		{"hp_ingest", `UPDATE ingest.names SET name = name`, false},
		{"hp_ingest", `UPDATE ingest.orders SET currency = currency`, false},
		{"hp_ingest", `UPDATE ingest.order_lines SET refunded_minor = 0, refunded_units = 0`, true},
		{"hp_ingest", `UPDATE ingest.order_lines SET amount_minor = 0`, false},
		{"hp_ingest", `SELECT nextval('ingest.batch_ids')`, true},
		{"hp_ingest", `UPDATE ingest.batches SET aggregated_at = now()`, false},
		{"hp_ingest", `SELECT ingest.open_day(1::smallint, '2026-01-01', 5)`, true},
		{"hp_ingest", `SELECT ingest.make_partition('2026-01-01')`, false},
		{"hp_ingest", `SELECT ingest.drop_partitions_before('2026-01-01', true)`, false},
		{"hp_ingest", `SELECT ingest.delete_dropped_rows(1::smallint, '2026-01-01', '2026-01-01', 1)`, false},
		{"hp_ingest", `SELECT * FROM stats.daily_stats`, false},
		{"hp_ingest", `SELECT * FROM stats.zones`, true},
		{"hp_ingest", `UPDATE stats.zones SET time_zone = 'UTC'`, false},
		{"hp_analytics", `SELECT * FROM stats.zones`, true},
		{"hp_analytics", `SELECT * FROM stats.product_daily`, true},
		{"hp_analytics", `SELECT * FROM stats.product_daily_money`, true},
		{"hp_analytics", `SELECT project, id, kind, rows, received_at, min_ts, max_ts, aggregated_at, failed_at FROM ingest.batches`, true},
		{"hp_analytics", `SELECT * FROM ingest.unfolded_batches`, true},
		{"hp_analytics", `SELECT facts FROM ingest.batches`, false},
		{"hp_analytics", `SELECT failure FROM ingest.batches`, false},
		{"hp_analytics", `SELECT * FROM ingest.users`, true},
		{"hp_analytics", `SELECT * FROM ingest.names`, true},
		{"hp_analytics", `SELECT ts, user_n, batch, id, product, project, name FROM ingest.events`, true},
		{"hp_analytics", `SELECT properties FROM ingest.events`, false},
		{"hp_analytics", `SELECT * FROM ingest.orders`, false},
		{"hp_analytics", `DELETE FROM stats.daily_stats`, false},
		{"hp_aggregator", `SELECT * FROM ingest.events`, true},
		{"hp_aggregator", `SELECT * FROM ingest.order_lines`, true},
		{"hp_aggregator", `SELECT * FROM ingest.refund_lines`, true},
		{"hp_aggregator", `SELECT time_zone FROM auth.projects`, true},
		{"hp_aggregator", `INSERT INTO ingest.events SELECT * FROM ingest.events`, false},
		{"hp_aggregator", `UPDATE ingest.batches SET aggregated_at = now()`, true},
		{"hp_aggregator", `DELETE FROM ingest.orders`, false},
		{"hp_aggregator", `DELETE FROM ingest.event_times`, true},
		{"hp_aggregator", `DELETE FROM stats.daily_stats`, true},
		{"hp_aggregator", `SELECT * FROM ingest.drop_partitions_before('2020-01-01', true)`, true},
		{"hp_aggregator", `SELECT * FROM auth.api_keys`, false},
		{"hp_aggregator", `SELECT * FROM auth.members`, false},
		{"hp_aggregator", `SELECT u.email, u.disabled_at FROM auth.members m JOIN auth.users u ON u.id = m.user_id`, true},
		{"hp_aggregator", `SELECT password_hash FROM auth.users`, false},
		{"hp_aggregator", `SELECT id, n, name FROM catalog.products`, true},
		{"hp_aggregator", `UPDATE catalog.products SET name = name`, false},
		{"hp_aggregator", `SELECT * FROM workspace.alerts`, true},
		{"hp_aggregator", `UPDATE workspace.alerts SET enabled = false`, false},
		{"hp_aggregator", `UPDATE workspace.evaluations SET state = 'skipped'`, true},
		{"hp_analytics", `SELECT * FROM workspace.evaluations`, false},
		{"hp_aggregator", `TRUNCATE shadow.daily_stats`, true},
		{"hp_aggregator", `TRUNCATE stats.daily_stats`, false},
		{"hp_analytics", `SELECT * FROM shadow.daily_stats`, false},
		{"hp_analytics", `SELECT * FROM stats.rebuilds`, true},
		{"hp_auth", insertAudit, true},
		{"hp_catalog", insertAudit, true},
		{"hp_ingest", insertAudit, true},
		{"hp_aggregator", insertAudit, true},
		{"hp_analytics", insertAudit, false},
		{"hp_auth", `INSERT INTO audit.log (id, at, actor_kind, actor, action) VALUES (gen_random_uuid(), '2020-01-01', 'command', 'ada', 'a.b')`, false},
		{"hp_auth", `SELECT * FROM audit.log`, true},
		{"hp_ingest", `SELECT * FROM audit.log`, false},
		{"hp_auth", `UPDATE audit.log SET subject = ''`, false},
		{"hp_auth", `DELETE FROM audit.log`, false},
		{"hp_auth", `TRUNCATE audit.log`, false},
		{"hp_aggregator", `DELETE FROM audit.log`, false},
		{"hp_auth", `SELECT audit.prune(interval '400 days')`, true},
		{"hp_aggregator", `SELECT audit.prune(interval '400 days')`, false},
	}
	for _, c := range cases {
		_, err := database.Pool(c.role).Exec(t.Context(), c.statement)
		_, refused := postgres.IsCode(err, denied)
		if c.allowed && err != nil || !c.allowed && !refused {
			t.Errorf("%s: %s: %v, want allowed: %t", c.role, c.statement, err, c.allowed)
		}
	}
}

// TestRolesMakeNoTemporaryTablesAndLargeObjects connects to a database of its own migration: Postgres does not copy the privileges
// on a database from its template.
func TestRolesMakeNoTemporaryTablesAndLargeObjects(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	if err := migrate.Down(t.Context(), database.URL(), platformtest.Logger(t), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := database.Pool("").Exec(t.Context(), `SELECT lo_unlink(lo_create(0))`); err != nil {
		t.Fatal(err)
	}
	if err := migrate.Up(t.Context(), database.URL(), platformtest.Logger(t)); err != nil {
		t.Fatal(err)
	}
	for _, role := range migrations.Roles() {
		db := database.Pool(role)
		for _, statement := range []string{
			`CREATE TEMPORARY TABLE t (n integer)`, `CREATE TEMPORARY SEQUENCE s`, `SELECT lo_create(0)`, `SELECT lo_creat(-1)`,
			`SELECT lo_from_bytea(0, '\x00')`, `SELECT lo_put(1, 0, '\x00')`, `SELECT lo_unlink(1)`, `SELECT lo_import('/etc/passwd')`,
		} {
			_, err := db.Exec(t.Context(), statement)
			if _, refused := postgres.IsCode(err, "42501"); !refused { // insufficient_privilege
				t.Errorf("%s: %s: %v", role, statement, err)
			}
		}
	}
}

const insertAudit = `INSERT INTO audit.log (id, actor_kind, actor, action) VALUES (gen_random_uuid(), 'command', 'ada', 'a.b')`

// The retention of the audit log deletes old rows only, and keeps a month whatever the service asks for.
func TestAuditLogIsPruned(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	const rows = `
		INSERT INTO audit.log (id, at, actor_kind, actor, action)
		SELECT gen_random_uuid(), now() - days * interval '1 day', 'command', 'ada', 'a.b' FROM unnest(ARRAY[0, 20, 399, 401, 900]) AS days`
	if _, err := database.Pool("").Exec(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	db := database.Pool("hp_auth")
	if _, err := db.Exec(t.Context(), `SELECT audit.prune(interval '29 days')`); err == nil {
		t.Error("rows of the last month can be deleted")
	}
	var deleted, left int
	if err := db.QueryRow(t.Context(), `SELECT audit.prune(interval '400 days')`).Scan(&deleted); err != nil || deleted != 2 {
		t.Errorf("deleted %d, %v", deleted, err)
	}
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM audit.log`).Scan(&left); err != nil || left != 3 {
		t.Errorf("left %d, %v", left, err)
	}
}

const insertEvent = `
	INSERT INTO ingest.events (project, ts, id, user_n, batch, name)
	VALUES (1, $1, gen_random_uuid(), 1, 1, 1)`

func TestEnsurePartitions(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t).Pool("")
	ensure := func(from, to string) (made int, err error) {
		err = db.QueryRow(t.Context(), `SELECT ingest.ensure_partitions($1::text::date, $2::text::date)`, from, to).Scan(&made)
		return made, err
	}
	late := time.Date(2026, 2, 1, 23, 59, 59, 0, time.UTC) // the last second of a Sunday
	if _, err := db.Exec(t.Context(), insertEvent, late); err == nil {
		t.Error("a row without a partition was taken")
	} else if _, ok := postgres.IsCode(err, postgres.CheckViolation); !ok {
		t.Errorf("a row without a partition: %v", err)
	}

	// Many at once make each week once.
	var total, failures int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			made, err := ensure("2026-01-25", "2026-02-02")
			mu.Lock()
			defer mu.Unlock()
			total += made
			if err != nil {
				failures++
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if total != 3 || failures != 0 {
		t.Errorf("made %d partitions, want one for each of 3 weeks", total)
	}
	for _, ts := range []time.Time{late, late.Add(time.Second)} {
		if _, err := db.Exec(t.Context(), insertEvent, ts); err != nil {
			t.Errorf("%s: %v", ts, err)
		}
	}
	if _, err := ensure("2020-01-01", "2026-01-01"); err == nil || !strings.Contains(err.Error(), "more than 1000 days") {
		t.Errorf("too many days: %v", err)
	}
}

// Making a partition must not wait for writers, nor make them wait.
func TestEnsurePartitionsBesideOpenTransactions(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t).Pool("")
	exec := func(ctx context.Context, db interface {
		QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	}, day string) error {
		return db.QueryRow(ctx, `SELECT ingest.ensure_partitions($1::text::date, $1::text::date)`, day).Scan(new(int))
	}
	if err := exec(t.Context(), db, "2026-01-01"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()

	writer, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Rollback(context.WithoutCancel(ctx))
	if _, err := writer.Exec(ctx, insertEvent, time.Date(2026, 1, 1, 1, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	maker, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer maker.Rollback(context.WithoutCancel(ctx))
	if err := exec(ctx, maker, "2026-01-05"); err != nil {
		t.Fatalf("beside an open insert: %v", err)
	}
	if _, err := writer.Exec(ctx, insertEvent, time.Date(2026, 1, 1, 2, 0, 0, 0, time.UTC)); err != nil {
		t.Fatalf("an insert beside a partition in the making: %v", err)
	}
}

func TestDropPartitionsBefore(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	db, ingest := database.Pool("hp_aggregator"), database.Pool("hp_ingest")
	if err := db.QueryRow(t.Context(), `SELECT ingest.ensure_partitions('2026-01-04', '2026-01-12')`).Scan(new(int)); err != nil {
		t.Fatal(err)
	}
	insert := func(project int, day, hour int) error {
		_, err := ingest.Exec(t.Context(), strings.Replace(insertEvent, "VALUES (1,", fmt.Sprintf("VALUES (%d,", project), 1), time.Date(2026, 1, day, hour, 0, 0, 0, time.UTC))
		return err
	}
	for _, row := range [][3]int{{1, 1, 1}, {1, 1, 23}, {1, 3, 0}, {2, 4, 23}} {
		if err := insert(row[0], row[1], row[2]); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"events_w20251229", "events_w20260105"}
	for _, step := range []struct {
		before string
		dryRun bool
		want   []string
	}{
		{"2026-01-04", false, nil},
		{"2026-01-11", true, want[:1]},
		{"2026-01-12", true, want},
		{"2026-01-18", true, want},
		{"2026-01-12", false, want},
		{"2026-01-12", false, nil},
	} {
		rows, err := db.Query(t.Context(), `SELECT partition FROM ingest.drop_partitions_before($1::text::date, $2)`, step.before, step.dryRun)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if diff := cmp.Diff(step.want, got); err != nil || diff != "" && len(got)+len(step.want) > 0 {
			t.Errorf("before %s, dry run %t: %v (-want +got):\n%s", step.before, step.dryRun, err, diff)
		}
	}
	// A dropped week comes back, but its days not for the projects that had rows of them.
	var made int
	if err := db.QueryRow(t.Context(), `SELECT ingest.ensure_partitions('2026-01-01', '2026-01-12')`).Scan(&made); err != nil || made != 2 {
		t.Errorf("made %d partitions, %v; want those of the two weeks that were dropped", made, err)
	}
	for row, want := range map[[3]int]string{
		{1, 1, 0}: "dropped_days", {1, 1, 23}: "dropped_days", {1, 2, 0}: "", {1, 3, 23}: "dropped_days", {1, 4, 0}: "", {1, 4, 23}: "",
		{2, 1, 1}: "", {2, 3, 23}: "", {2, 4, 0}: "dropped_days", {2, 5, 0}: "", {3, 4, 23}: "",
	} {
		err := insert(row[0], row[1], row[2])
		if constraint, _ := postgres.IsCode(err, postgres.CheckViolation); constraint != want || want == "" && err != nil {
			t.Errorf("a row of project %d on January %d, %d:00: %v", row[0], row[1], row[2], err)
		}
	}
}

// TestDropPartitionsWithAnotherPlan has Postgres look at the names of all tables before it knows which are partitions, as
// it does when it thinks that there are few.
func TestDropPartitionsWithAnotherPlan(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), dbtest.New(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	for _, statement := range []string{
		`SELECT ingest.ensure_partitions('2026-01-01', '2026-01-02')`, `SET enable_nestloop = off`, `SET enable_mergejoin = off`,
		`SELECT * FROM ingest.drop_partitions_before('2020-01-01', true)`,
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// TestViewsAddUpTheLanes fills every rollup that has a view with two lanes of one key, and a row that differs from it in the
// project alone: each view has the sum of the two lanes and leaves the other project apart.
func TestViewsAddUpTheLanes(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t).Pool("")
	const counts, money = "events, views, clicks, add_to_carts, purchases, units", "gross_minor, refunded_minor, orders, units, refunded_units"
	for view, rollup := range map[string]struct{ table, key, values, columns string }{
		"daily":                {"daily_stats", "day", "'2026-01-01'", counts},
		"hourly":               {"hourly_stats", "hour", "'2026-01-01 05:00Z'", counts},
		"product_daily":        {"product_daily_stats", "product, day", "7, '2026-01-01'", counts},
		"product_hourly":       {"product_hourly_stats", "product, hour", "7, '2026-01-01 05:00Z'", counts},
		"user_daily":           {"user_daily_stats", "user_n, day", "7, '2026-01-01'", counts},
		"name_daily":           {"name_daily_stats", "name, day", "7, '2026-01-01'", "events"},
		"name_hourly":          {"name_hourly_stats", "name, hour", "7, '2026-01-01 05:00Z'", "events"},
		"product_name_daily":   {"product_name_daily_stats", "product, name, day", "7, 16, '2026-01-01'", "events"},
		"daily_money":          {"daily_revenue", "day, currency", "'2026-01-01', 'EUR'", money},
		"hourly_money":         {"hourly_revenue", "hour, currency", "'2026-01-01 05:00Z', 'EUR'", money},
		"product_daily_money":  {"product_daily_revenue", "product, day, currency", "7, '2026-01-01', 'EUR'", money},
		"product_hourly_money": {"product_hourly_revenue", "product, hour, currency", "7, '2026-01-01 05:00Z', 'EUR'", money},
		"user_daily_money":     {"user_daily_revenue", "user_n, day, currency", "7, '2026-01-01', 'EUR'", money},
	} {
		n := strings.Count(rollup.columns, ",") + 1
		row := func(project, lane int, value string) string {
			return fmt.Sprintf("(%d, %s, %d%s)", project, rollup.values, lane, strings.Repeat(", "+value, n))
		}
		insert := fmt.Sprintf(`INSERT INTO stats.%s (project, %s, lane, %s) VALUES %s, %s, %s`,
			rollup.table, rollup.key, rollup.columns, row(1, 0, "1"), row(1, 3, "10"), row(2, 0, "100"))
		if _, err := db.Exec(t.Context(), insert); err != nil {
			t.Fatalf("%s: %v", rollup.table, err)
		}
		rows, err := db.Query(t.Context(), fmt.Sprintf(`SELECT project, ARRAY[%s] FROM stats.%s ORDER BY project`, rollup.columns, view))
		if err != nil {
			t.Fatalf("%s: %v", view, err)
		}
		type sum struct {
			Project int16
			Values  []int64
		}
		got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[sum])
		want := []sum{{1, slices.Repeat([]int64{11}, n)}, {2, slices.Repeat([]int64{100}, n)}}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", view, err, diff)
		}
	}
	var views int
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM pg_views WHERE schemaname = 'stats'`).Scan(&views); err != nil || views != 13 {
		t.Errorf("%d views, %v; this test knows 13", views, err)
	}
}

// Every key of raw rows and rollups begins with the project, so that two projects cannot meet in one, and a table can be
// distributed by it.
func TestEveryKeyBeginsWithTheProject(t *testing.T) {
	t.Parallel()
	const query = `
		SELECT format('%s.%s', n.nspname, c.relname)
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_index i ON i.indrelid = c.oid AND i.indisunique
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
		WHERE nspname IN ('ingest', 'stats', 'shadow') AND relkind IN ('r', 'p') AND a.attname <> 'project'
		ORDER BY 1`
	rows, err := dbtest.New(t).Pool("").Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	// A rebuild has an id of its own.
	want := []string{"stats.rebuild_days", "stats.rebuilds"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestRolesAreTheSameEverywhere compares the roles of the services with the first migration, and with what prepares a database for
// a login that may not create them.
func TestRolesAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	roles := strings.Join(migrations.Roles(), ", ")
	for file, want := range map[string]string{
		"000001_roles.up.sql":                              "ARRAY['" + strings.ReplaceAll(roles, ", ", "', '") + "']",
		"../charts/hp-analytics/files/postgresql/owner.sh": "GRANT " + roles + ` TO :"owner";`,
		"../docs/kubernetes.md":                            "GRANT " + roles + " TO hp_owner;",
	} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(content), want) {
			t.Errorf("%s has no %q", file, want)
		}
	}
}
