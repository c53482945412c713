package migrate_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/poolertest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/migrations"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/migrations/migrate"
)

// asProgram holds a database URL and makes the test binary migrate that database, so that tests can kill it.
const asProgram = "MIGRATE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if url := os.Getenv(asProgram); url != "" {
		if err := migrate.Up(context.Background(), url, platformtest.Discard()); err != nil {
			panic(err)
		}
		return
	}
	platformtest.Main(m, dbtest.Stop)
}

// next is the number of the migration that the tests add.
const next = 999

// withNext returns the migrations of the build and one more.
func withNext(t *testing.T, sql string) fs.FS {
	t.Helper()
	files := firsts(t, migrations.Latest())
	files["000999_test.up.sql"] = &fstest.MapFile{Data: []byte(sql)}
	return files
}

// firsts returns the first n migrations of the build.
func firsts(t *testing.T, n uint) fstest.MapFS {
	t.Helper()
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, name := range names[:2*n] {
		content, err := fs.ReadFile(migrations.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: content}
	}
	return files
}

// empty returns the URL of a database without any migration.
func empty(t *testing.T) string {
	t.Helper()
	database := dbtest.New(t)
	if err := migrate.Down(t.Context(), database.URL(), platformtest.Logger(t), 0); err != nil {
		t.Fatal(err)
	}
	return database.URL()
}

func version(t *testing.T, url string) uint {
	t.Helper()
	status, err := migrate.Inspect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return status.Version
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func execute(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// sleeping waits until a migration of the database of pool has begun to sleep.
func sleeping(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	waits(t, pool, "PgSleep")
}

// waits waits until a session that migrates the database of pool waits for event.
func waits(t *testing.T, pool *pgxpool.Pool, event string) {
	t.Helper()
	const query = `
		SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'hp-analytics migrate' AND wait_event = $1)`
	platformtest.Eventually(t, time.Minute, "the migration waits for "+event, func() bool {
		var found bool
		if err := pool.QueryRow(t.Context(), query, event).Scan(&found); err != nil {
			t.Fatal(err)
		}
		return found
	})
}

// A service is as ready during a later migration as before it, and works.
func TestServicesServeDuringAMigration(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	admin, ingest := database.Pool(""), database.Pool("hp_ingest")
	files := withNext(t, `
		CREATE TABLE catalog.labels (id uuid PRIMARY KEY);
		ALTER TABLE auth.users ALTER COLUMN email SET STATISTICS 200;
		SELECT pg_sleep(3600);`)
	ended := make(chan error, 1)
	go func() {
		ended <- migrate.UpFrom(context.WithoutCancel(t.Context()), files, database.URL(), platformtest.Discard())
	}()
	sleeping(t, admin)

	for range 20 {
		if err := postgres.SchemaReady(ingest, migrations.Latest(), true)(t.Context()); err != nil {
			t.Fatalf("a service of the schema before is not ready: %v", err)
		}
		if err := postgres.SchemaReady(ingest, next, true)(t.Context()); err == nil {
			t.Fatal("a service of the schema after is ready before the migration is done")
		}
		if _, err := ingest.Exec(t.Context(), `SELECT ingest.open_day(1::smallint, '2026-01-01', 5)`); err != nil {
			t.Fatal(err)
		}
	}
	if got := version(t, database.URL()); got != migrations.Latest() {
		t.Errorf("version %d during migration %d", got, next)
	}
	if _, err := admin.Exec(t.Context(), `
		SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("a cancelled migration: %v", err)
	}
}

// A migration that needs a table that is in use gives way to the requests behind it, and begins again until it gets the table.
func TestMigrationGivesWay(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	admin := database.Pool("")
	reader := connect(t, database.URL())
	execute(t, reader, `BEGIN; LOCK TABLE catalog.products IN ACCESS SHARE MODE`) // as a dump or reconcile does, for long
	files := withNext(t, `ALTER TABLE catalog.products ADD COLUMN color text`)
	ended := make(chan error, 1)
	go func() {
		ended <- migrate.UpFrom(context.WithoutCancel(t.Context()), files, database.URL(), platformtest.Discard())
	}()
	for range 2 { // behind the first wait, and behind a second one
		waits(t, admin, "relation")
		if _, err := database.Pool("hp_ingest").Exec(t.Context(), `SELECT count(*) FROM catalog.products`); err != nil {
			t.Errorf("a request behind the migration: %v", err)
		}
	}
	execute(t, reader, `ROLLBACK`)
	if err := <-ended; err != nil {
		t.Errorf("the migration after the reader: %v", err)
	}
	if got := version(t, database.URL()); got != next {
		t.Errorf("version %d", got)
	}
}

// An error in a migration says why first, then where, and that nothing was changed.
func TestFailureIsExplained(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ sql, reason, where string }{
		"syntax": {
			"-- One; comment.\nCREATE TABLE auth.fine (id int);\nCREATE TABEL auth.broken ();\n",
			`ERROR: syntax error at or near "TABEL" (SQLSTATE 42601)`, "000999_test.up.sql, statement 2 on line 3: CREATE TABEL auth.broken ()",
		},
		"at run time": {
			"CREATE TABLE auth.fine (id int PRIMARY KEY);\nDO $$\nBEGIN\n\tPERFORM 1; -- it's fine\nEND\n$$;\n\nINSERT INTO auth.fine VALUES (1), (1);\nSELECT 1;",
			`ERROR: duplicate key value violates unique constraint "fine_pkey" (SQLSTATE 23505)`,
			"000999_test.up.sql, statement 3 on line 8: INSERT INTO auth.fine VALUES (1), (1)",
		},
		"in a query": {
			"CREATE TABLE auth.fine (id int);\nSELECT 1;\nSELECT 1 / (random() * 0)::int;",
			`ERROR: division by zero (SQLSTATE 22012)`, "statement 3 on line 3: SELECT 1 / (random() * 0)::int",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := dbtest.New(t)
			err := migrate.UpFrom(t.Context(), withNext(t, test.sql), database.URL(), platformtest.Logger(t))
			if err == nil || !strings.HasPrefix(err.Error(), test.reason) || !strings.Contains(err.Error(), test.where) ||
				!strings.Contains(err.Error(), "nothing was changed, the schema stays at version") {
				t.Fatalf("the error is\n%v, want\n%s … %s", err, test.reason, test.where)
			}
			var left bool
			query := `SELECT to_regclass('auth.fine') IS NOT NULL`
			if err := database.Pool("").QueryRow(t.Context(), query).Scan(&left); err != nil || left {
				t.Errorf("left over: %t, %v", left, err)
			}
			if err := migrate.UpFrom(t.Context(), withNext(t, "SELECT 1"), database.URL(), platformtest.Logger(t)); err != nil {
				t.Errorf("the corrected migration: %v", err)
			}
		})
	}
}

func TestMigrationMayNotCommit(t *testing.T) {
	t.Parallel()
	err := migrate.UpFrom(t.Context(), withNext(t, "SELECT 1; COMMIT;"), dbtest.New(t).URL(), platformtest.Logger(t))
	if err == nil || !strings.Contains(err.Error(), "000999_test.up.sql ends its own transaction") {
		t.Errorf("%v", err)
	}
}

// No setting of the URL, the login or the database reaches the session of a migration.
func TestSessionInheritsNothing(t *testing.T) {
	t.Parallel()
	url := empty(t)
	conn := connect(t, url)
	execute(t, conn, `
		CREATE SCHEMA elsewhere;
		CREATE TABLE elsewhere.schema_migrations (version bigint);
		INSERT INTO elsewhere.schema_migrations VALUES (1000000);
		DO $$ BEGIN
			EXECUTE format('ALTER DATABASE %I SET search_path = elsewhere', current_database());
			EXECUTE format('ALTER DATABASE %I SET statement_timeout = 100', current_database());
			EXECUTE format('ALTER DATABASE %I SET lock_timeout = 1', current_database());
			EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database());
			EXECUTE format('ALTER DATABASE %I SET role = pg_monitor', current_database());
		END $$`)
	inheriting := url + "&statement_timeout=100&search_path=elsewhere&role=pg_monitor&options=-c%20TimeZone%3DAsia/Kolkata"
	const check = `
		SELECT pg_sleep(0.2); -- longer than the statement_timeout of the database
		DO $$ BEGIN
			IF current_user <> session_user OR current_setting('search_path') <> 'public' OR current_setting('statement_timeout') <> '0'
				OR current_setting('transaction_read_only') <> 'off' OR current_setting('lock_timeout') = '1ms' OR current_setting('TimeZone') <> 'UTC' THEN
				RAISE EXCEPTION 'inherited: % % % %', current_user, current_setting('search_path'), current_setting('statement_timeout'), current_setting('lock_timeout');
			END IF;
		END $$`
	if err := migrate.UpFrom(t.Context(), withNext(t, check), inheriting, platformtest.Logger(t)); err != nil {
		t.Fatal(err)
	}
	var stored int
	if err := connect(t, url+"&role=none&statement_timeout=0").QueryRow(t.Context(), `SELECT version FROM public.schema_migrations`).Scan(&stored); err != nil || stored != next {
		t.Errorf("version %d, %v", stored, err)
	}
}

// An interrupted wait for another migration ends at once, and says so.
func TestWaitForAnotherMigrationEnds(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	if held, err := locks.Migration.TryHold(t.Context(), connect(t, database.URL())); err != nil || !held {
		t.Fatal(held, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- migrate.Up(ctx, database.URL(), platformtest.Discard()) }()
	waits(t, database.Pool(""), "advisory")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestMigrateNeedsASession migrates through a pooler. The lock of migrations belongs to a session.
func TestMigrateNeedsASession(t *testing.T) {
	t.Parallel()
	direct := empty(t)
	shared := poolertest.Start(t, direct, "pool_mode = transaction")
	err := migrate.Up(t.Context(), shared, platformtest.Logger(t))
	if err == nil || !strings.Contains(err.Error(), "pool_mode=session") {
		t.Errorf("migrate with shared sessions: %v", err)
	}
	if got := version(t, direct); got != 0 {
		t.Errorf("the version is %d", got)
	}
	own := poolertest.Start(t, direct, "pool_mode = session")
	if err := migrate.Up(t.Context(), own, platformtest.Logger(t)); err != nil {
		t.Error(err)
	}
	if got := version(t, direct); got != migrations.Latest() {
		t.Errorf("the version is %d", got)
	}
}

// TestMigrationNeedsTheLock applies a migration after one that has released the lock, as in a session of another client.
func TestMigrationNeedsTheLock(t *testing.T) {
	t.Parallel()
	url := dbtest.New(t).URL()
	files := withNext(t, "SELECT pg_advisory_unlock_all()").(fstest.MapFS)
	files["001000_test.up.sql"] = &fstest.MapFile{Data: []byte("SELECT 1")}
	err := migrate.UpFrom(t.Context(), files, url, platformtest.Logger(t))
	if err == nil || !strings.Contains(err.Error(), "does not hold the lock of migrations") {
		t.Errorf("migrate without the lock: %v", err)
	}
	if got := version(t, url); got != 999 {
		t.Errorf("the version is %d, want that of the migration before", got)
	}
}
