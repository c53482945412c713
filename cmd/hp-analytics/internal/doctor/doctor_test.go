package doctor

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/checkup"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop, redistest.Stop) }

// siteOf returns the site of a Postgres.
func siteOf(t *testing.T, url string) *Site {
	t.Helper()
	open := func(role string) *pgxpool.Pool {
		cfg := dbtest.Config(url)
		cfg.ReadsOnly = true
		pool, err := postgres.Open(t.Context(), cfg, role, "test", nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		return pool
	}
	return &Site{
		Site: checkup.Site{Data: open("hp_aggregator")}, Login: open(""), RetentionDays: 90, Now: time.Now,
		Pools: map[string]int32{"auth": 10, "catalog": 10, "ingest": 10, "analytics": 10, "aggregator": 10},
	}
}

// withRedis adds a Redis to a site.
func withRedis(t *testing.T, s *Site, cfg platformredis.Config) *Site {
	t.Helper()
	s.Redis = redistest.Client(t, cfg)
	s.Queue = asynq.NewInspectorFromRedisClient(s.Redis)
	return s
}

// execute runs a statement as the superuser.
func execute(t *testing.T, s *Site, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := s.Login.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// find runs one check, "area/name".
func find(t *testing.T, s *Site, which string) []Finding {
	t.Helper()
	i := slices.IndexFunc(checks, func(c check) bool { return c.area+"/"+c.name == which })
	if i < 0 {
		t.Fatalf("there is no check %s", which)
	}
	findings, err := checks[i].run(t.Context(), s)
	if err != nil {
		t.Fatalf("%s: %v", which, err)
	}
	return findings
}

// want checks that one check finds something of a level, and says so. What is not fine says what to do.
func want(t *testing.T, s *Site, which string, level Level, says string) {
	t.Helper()
	findings := find(t, s, which)
	if !slices.ContainsFunc(findings, func(f Finding) bool {
		return f.Level == level && strings.Contains(f.Says, says) && (f.Do == "") == (level == OK)
	}) {
		t.Errorf("%s: no finding %s with %q in %+v", which, level, says, findings)
	}
}

// Each of these is wrong for real after the statements, and fine before.
func TestChecksOfTheDatabase(t *testing.T) {
	t.Parallel()
	const old = `INSERT INTO ingest.batches (project, id, kind, rows, min_ts, max_ts, received_at) VALUES (1, 5, 'events', 7, '2020-01-02', '2020-01-02', now() - interval `
	const numbers = `INSERT INTO stats.daily_stats (project, day, lane) VALUES (1, '2026-01-01', 0)`
	const recounted = `INSERT INTO stats.reconciles (project, begun_at, finished_at, days, rows, compared, differences) VALUES (1, now(), now() - interval `
	const recountedInPart = `INSERT INTO stats.reconciles (project, begun_at, from_day, to_day, days, rows, compared, differences) VALUES (1, now(), '2026-01-01', '2026-01-01', 1, 1, 1, 0)`
	const zone = `INSERT INTO stats.zone_changes (project, from_zone, to_zone, days_done, days_total, started_at) VALUES (1, 'UTC', 'Asia/Tokyo', 2, 5, now() - interval '2 days')`
	const erasure = `INSERT INTO ingest.erasures (project, id, anonymous, subject, salt, digest, requested_by, requested_at)
		SELECT 1, gen_random_uuid(), false, 'u', d, d, 'x', now() - interval '2 days' FROM decode(repeat('00', 32), 'hex') AS d`
	// The partition that today is in ends today.
	const aheadOnlyToday = `DO $$ BEGIN
		EXECUTE (SELECT string_agg(format('DROP TABLE ingest.%I;', name), ' ') FROM ingest.partitions);
		EXECUTE format('CREATE TABLE ingest.events_w%s PARTITION OF ingest.events FOR VALUES FROM (%L) TO (%L)',
			to_char(current_date - 6, 'YYYYMMDD'), current_date - 6, current_date + 1);
	END $$`
	for name, test := range map[string]struct {
		check string
		wrong []string
		level Level
		says  string
	}{
		"a schema that is too old":      {"schema/version", []string{`UPDATE schema_migrations SET version = 4`}, Problem, "has version 4, this program needs 5"},
		"a schema that is too new":      {"schema/version", []string{`UPDATE schema_migrations SET version = 99`}, Warning, "this program knows 5"},
		"an invalid index":              {"schema/indexes", []string{`UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ingest.batches_pending_idx'::regclass`}, Problem, "ingest.batches_pending_idx"},
		"a lost grant":                  {"roles/privileges", []string{`REVOKE INSERT ON ingest.events FROM hp_ingest`}, Problem, "hp_ingest lacks INSERT on ingest.events"},
		"a grant too many":              {"roles/privileges", []string{`GRANT SELECT ON auth.signing_keys TO hp_analytics`}, Problem, "hp_analytics has SELECT on auth.signing_keys"},
		"an unknown time zone":          {"postgres/time zones", []string{`UPDATE auth.projects SET time_zone = 'Mars/Olympus'`}, Problem, "default (Mars/Olympus)"},
		"a table without vacuum":        {"postgres/autovacuum", []string{`ALTER TABLE stats.daily_stats SET (autovacuum_enabled = off)`}, Problem, "stats.daily_stats"},
		"a default partition":           {"partitions/ahead", []string{`CREATE TABLE ingest.rest (LIKE ingest.events INCLUDING ALL)`, `ALTER TABLE ingest.events ATTACH PARTITION ingest.rest DEFAULT`}, Problem, "default partition"},
		"no partition for today":        {"partitions/ahead", []string{`DO $$ BEGIN EXECUTE 'DROP TABLE ingest.' || ingest.partition_of((now() AT TIME ZONE 'UTC')::date); END $$`}, Problem, "no partition for the events of today"},
		"few partitions ahead":          {"partitions/ahead", []string{aheadOnlyToday}, Warning, "for 1 day, today included"},
		"expired events":                {"partitions/retention", []string{`SELECT ingest.ensure_partitions('2020-01-01', '2020-01-08')`}, Warning, "raw events of 2 weeks are past the retention of 90 days"},
		"expired events that are held":  {"partitions/retention", []string{`SELECT ingest.ensure_partitions('2020-01-01', '2020-01-02')`, old + `'1 hour')`, `INSERT INTO ingest.events (project, ts, id, user_n, batch, name) SELECT project, min_ts, gen_random_uuid(), 1, id, 1 FROM ingest.batches`}, Warning, "raw events of 1 week are past the retention of 90 days and kept for the projects default"},
		"an import without proof":       {"partitions/imports", []string{`INSERT INTO ingest.imports VALUES (1, gen_random_uuid(), '2020-01-01', '2020-01-02', now() - interval '9 days', now() - interval '8 days')`}, Warning, "1 import of history, finished more than 7 days ago, not proven"},
		"batches that are pending":      {"backlog/pending", []string{old + `'2 minutes')`}, Warning, "1 batch with 7 rows pending, the oldest for 2m"},
		"batches that are pending long": {"backlog/pending", []string{old + `'2 hours')`}, Problem, "the numbers are that old"},
		"a failed batch":                {"backlog/failed", []string{old + `'1 hour')`, `UPDATE ingest.batches SET failed_at = now(), next_attempt_at = now(), failure = 'damaged'`}, Problem, "1 batch set aside, because folding fails: 7 rows missing from the numbers"},
		"segments that are not merged": {"backlog/segments", []string{`
			INSERT INTO stats.product_segments (project, merged, days, day, totals, products, events, views, clicks, add_to_carts, purchases, units)
			SELECT 1, false, 1, '2026-01-01', '', '', '', '', '', '', '', '' FROM generate_series(1, 1000)`}, Warning, "1000 segments of rollups are not merged, 1000 of them of one day"},
		"numbers never recounted":            {"numbers/reconcile", []string{numbers}, Warning, "default: its numbers were never recounted"},
		"numbers recounted long ago":         {"numbers/reconcile", []string{numbers, recounted + `'9 days', 1, 1, 1, 0)`}, Warning, "were last recounted as a whole 216h"},
		"numbers that are wrong":             {"numbers/reconcile", []string{numbers, recounted + `'1 hour', 1, 1, 1, 3)`}, Problem, "found 3 differences"},
		"numbers recounted in part":          {"numbers/reconcile", []string{numbers, recountedInPart}, Warning, "default: its numbers were never recounted"},
		"wrong numbers, one good day":        {"numbers/reconcile", []string{numbers, recounted + `'1 hour', 1, 1, 1, 500)`, recountedInPart}, Problem, "found 500 differences"},
		"an interrupted rebuild":             {"numbers/rebuild", []string{`INSERT INTO stats.rebuilds (project, from_day, to_day, started_at) VALUES (1, '2026-01-01', '2026-01-02', now() - interval '2 days')`}, Warning, "2026-01-01 to 2026-01-02 in project 1"},
		"a change of a time zone that fails": {"numbers/time zones", []string{zone, `UPDATE stats.zone_changes SET failure = 'no disk'`}, Warning, "the last step failed: no disk"},
		"a change of a time zone that waits": {"numbers/time zones", []string{`UPDATE auth.projects SET time_zone = 'Asia/Tokyo', updated_at = now() - interval '1 hour'`}, Warning, "default: 0 of 0 days moved to Asia/Tokyo in 1h"},
		"a change of a time zone that lasts": {"numbers/time zones", []string{zone}, Warning, "default: 2 of 5 days moved to UTC in 48h"},
		"a change of the time zone of a day": {"numbers/time zones", []string{zone, `UPDATE stats.zone_changes SET days_done = 1, days_total = 1`}, Warning, "default: 1 of 1 day moved to UTC in 48h"},
		"an erasure that lasts":              {"numbers/erasures", []string{erasure}, Warning, "1 erasure not done, the oldest asked for 48h"},
		"an erasure that fails":              {"numbers/erasures", []string{erasure, `UPDATE ingest.erasures SET last_error = 'broken'`}, Warning, "1 erasure not done, failed and tried again: 1, the oldest"},
		"an erasure that is held up":         {"numbers/erasures", []string{erasure, `UPDATE ingest.erasures SET held_by = '{5}'`}, Warning, "1 erasure not done, held up by batches that cannot be folded: 1, the oldest"},
		"names that are nearly used up":      {"numbers/event names", []string{`INSERT INTO ingest.names (project, n, name) SELECT 1, n, n::text FROM generate_series(1, 15 + 8001) AS n`}, Warning, "default: 8001 of 10000 names of events are used"},
		"names that are used up":             {"numbers/event names", []string{`INSERT INTO ingest.names (project, n, name) SELECT 1, n, n::text FROM generate_series(16, 15 + 10000) AS n`}, Problem, "default: all 10000 names of events are used"},
		"a pending index that is large": {
			"backlog/dead rows", []string{
				`INSERT INTO ingest.batches (project, id, kind, rows) SELECT 1, n, 'events', 0 FROM generate_series(1, 60000) AS n`,
				`UPDATE ingest.batches SET aggregated_at = now()`,
			}, Warning, "the index of pending batches has",
		},
		"dead rows": {
			"backlog/dead rows", []string{
				`ALTER TABLE ingest.batches SET (autovacuum_enabled = off)`,
				`INSERT INTO ingest.batches (project, id, kind, rows) SELECT 1, n, 'events', 0 FROM generate_series(1, 60000) AS n`,
				`UPDATE ingest.batches SET aggregated_at = now()`, `SELECT pg_stat_force_next_flush()`,
			}, Warning, "ingest.batches has 60000 dead rows beside 60000",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := siteOf(t, dbtest.New(t).URL())
			execute(t, s, `SELECT ingest.ensure_partitions((now() AT TIME ZONE 'UTC')::date, (now() AT TIME ZONE 'UTC')::date + 3)`)
			for _, f := range find(t, s, test.check) {
				if f.Level != OK {
					t.Errorf("before: %+v", f)
				}
			}
			execute(t, s, test.wrong...)
			if test.says == "ingest.batches has 60000 dead rows beside 60000" { // a session reports its counts when it is idle
				platformtest.Eventually(t, time.Minute, "the dead rows are counted", func() bool {
					execute(t, s, `SELECT pg_stat_force_next_flush()`)
					return find(t, s, test.check)[0].Level != OK
				})
			}
			want(t, s, test.check, test.level, test.says)
		})
	}
}

func TestNumbersThatAreRight(t *testing.T) {
	t.Parallel()
	s := siteOf(t, dbtest.New(t).URL())
	want(t, s, "numbers/reconcile", OK, "no project has numbers yet")
	execute(t, s, `INSERT INTO stats.daily_stats (project, day, lane) VALUES (1, '2026-01-01', 0)`,
		`INSERT INTO stats.reconciles (project, begun_at, days, rows, compared, differences) VALUES (1, now(), 1, 70, 1, 0)`)
	want(t, s, "numbers/reconcile", OK, "from 70 raw rows without a difference")
}

func TestClocks(t *testing.T) {
	t.Parallel()
	s := withRedis(t, siteOf(t, dbtest.New(t).URL()), redistest.New(t))
	for _, which := range []string{"clock/postgres", "clock/redis"} {
		want(t, s, which, OK, "differs by")
		for level, skew := range map[Level]time.Duration{Warning: 3 * time.Second, Problem: -time.Minute} {
			s.Now = func() time.Time { return time.Now().Add(skew) }
			want(t, s, which, level, "differs by")
		}
		s.Now = time.Now
	}
	if f := judgeSkew("Redis", 2*time.Second, 500*time.Millisecond); f.Level != OK {
		t.Errorf("a skew that may be due to the time that the answer took: %+v", f)
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	s := siteOf(t, dbtest.New(t).URL())
	want(t, s, "sessions/transactions", OK, "no transaction is older than 10m")
	want(t, s, "sessions/blocked", OK, "no session has waited")
	s.Hurry = true
	holder, err := s.Data.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Rollback(context.WithoutCancel(t.Context()))
	if _, err := holder.Exec(t.Context(), `LOCK TABLE stats.rebuilds IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	want(t, s, "sessions/transactions", Warning, `a transaction of "test" has been open`)
	waiting := make(chan error, 1)
	go func() {
		_, err := s.Data.Exec(t.Context(), `INSERT INTO stats.rebuilds (project, from_day, to_day) VALUES (1, '2026-01-01', '2026-01-01')`)
		waiting <- err
	}()
	platformtest.Eventually(t, time.Minute, "a session is blocked", func() bool { return find(t, s, "sessions/blocked")[0].Level != OK })
	want(t, s, "sessions/blocked", Problem, "has waited for a lock of pid {")
	if err := holder.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; err != nil {
		t.Fatal(err)
	}
}

func TestReplicationSlots(t *testing.T) {
	t.Parallel()
	s := siteOf(t, dbtest.New(t).URL())
	execute(t, s, `SELECT pg_create_physical_replication_slot('left_behind', true)`)
	defer execute(t, s, `SELECT pg_drop_replication_slot('left_behind')`)
	want(t, s, "sessions/replication slots", Warning, "nobody reads the replication slot left_behind")
}

// A database that does not answer is one problem, and the checks that need it are left out.
func TestDatabasesThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	s := siteOf(t, "postgres://u:p@127.0.0.1:1/d")
	withRedis(t, s, platformredis.Config{URL: "redis://127.0.0.1:1/0", PoolSize: 1, Timeout: time.Second})
	findings := Examine(t.Context(), s)
	if len(findings) != 2 || Worst(findings) != Problem {
		t.Errorf("found %+v", findings)
	}
	var out strings.Builder
	if err := Write(&out, findings); err != nil || !strings.Contains(out.String(), "PROBLEM connection: does not answer: ") ||
		!strings.HasSuffix(out.String(), "0 ok, 0 to look at, 2 wrong.\n") {
		t.Errorf("%v:\n%s", err, &out)
	}
}

// Every check runs against a fresh deployment and has something to say.
func TestEverythingIsLookedAt(t *testing.T) {
	t.Parallel()
	s := withRedis(t, siteOf(t, dbtest.New(t).URL()), redistest.New(t))
	findings := Examine(t.Context(), s)
	for _, c := range checks {
		i := slices.IndexFunc(findings, func(f Finding) bool { return f.Area == c.area && f.Check == c.name })
		if c.area != "services" && i < 0 {
			t.Errorf("%s/%s says nothing", c.area, c.name)
		}
		if i >= 0 && strings.HasPrefix(findings[i].Says, "cannot be checked") {
			t.Errorf("%+v", findings[i])
		}
	}
}

// connectAs returns a connection of another login.
func connectAs(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}
