package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit/audittest"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// TestRebuildCommand repairs a number that reconcile finds wrong, and refuses days without raw rows.
func TestRebuildCommand(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	environ := []string{"DATABASE_URL=" + database.URL(), "LOG_LEVEL=error"}
	command := func(code int, want string, environ []string, args ...string) {
		t.Helper()
		var out strings.Builder
		if got := Run(t.Context(), args, environ, &out, &out); got != code || !strings.Contains(out.String(), want) {
			t.Errorf("%v: exit code %d, want %d; no %q in: %s", args, got, code, want, out.String())
		}
	}
	execute(t, database.URL(), `SELECT ingest.ensure_partitions('2026-01-01', '2026-01-02')`)
	execute(t, database.URL(), `INSERT INTO ingest.dropped_days (project, day) VALUES (1, '2026-01-03'), (1, '2026-01-04')`)
	const wrong = `INSERT INTO stats.product_daily_stats (project, product, day, lane, views) VALUES (1, 7, '2026-01-01', 0, 1)`
	execute(t, database.URL(), wrong)
	command(exitFailure, "views is 1, recounted 0", environ, "reconcile")
	command(exitOK, "REDIS_URL is not set", environ, "rebuild", "--from=2026-01-01", "--to=2026-01-02")
	command(exitOK, ": 0 differences.", environ, "reconcile")
	command(exitFailure, "hp-analytics: rebuild: raw events of 2026-01-03, 2026-01-04 in the project default were dropped", environ, "rebuild", "--from=2026-01-02", "--to=2026-01-04")
	command(exitFailure, "the first day of the range that can be rebuilt is 2026-01-02", environ, "rebuild", "--from=2026-01-02", "--to=2026-01-04")

	execute(t, database.URL(), wrong)
	told := append([]string{"REDIS_URL=" + string(redistest.New(t).URL)}, environ...)
	command(exitOK, "default 2026-01-01: 0 raw rows (0 of them arrived during the rebuild), 1 rollup rows before, 0 after, 1 removed, 0 added", told, "rebuild", "--from=2026-01-01", "--to=2026-01-01")
	command(exitOK, "Rebuilt 1 day from 0 raw rows", told, "rebuild", "--from=2026-01-01", "--to=2026-01-01", "--restart")

	wantAudit(t, database.URL(),
		`command reconcile.begun {"to": null, "from": null}`, `command rebuild.begun {"to": "2026-01-02", "from": "2026-01-01", "restart": false}`,
		`command reconcile.begun {"to": null, "from": null}`, `command rebuild.begun {"to": "2026-01-04", "from": "2026-01-02", "restart": false}`,
		`command rebuild.begun {"to": "2026-01-04", "from": "2026-01-02", "restart": false}`,
		`command rebuild.begun {"to": "2026-01-01", "from": "2026-01-01", "restart": false}`,
		`command rebuild.begun {"to": "2026-01-01", "from": "2026-01-01", "restart": true}`)
	execute(t, database.URL(), wrong)
	audittest.Break(t, database.URL())
	command(exitFailure, "audit rebuild.begun", told, "rebuild", "--from=2026-01-01", "--to=2026-01-01")
	execute(t, database.URL(), `DO $$ BEGIN ASSERT (SELECT count(*) FROM stats.product_daily_stats) = 1; END $$`)
}

// wantAudit checks what the audit log of a database has.
func wantAudit(t *testing.T, url string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, audittest.Lines(t, url), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the audit log (-want +got):\n%s", diff)
	}
}

// TestBatchesCommand lists and releases a batch that is set aside.
func TestBatchesCommand(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	environ := []string{"DATABASE_URL=" + database.URL(), "LOG_LEVEL=error"}
	command := func(code int, want string, args ...string) {
		t.Helper()
		var out strings.Builder
		if got := Run(t.Context(), args, environ, &out, &out); got != code || !strings.Contains(out.String(), want) {
			t.Errorf("%v: exit code %d, want %d; no %q in: %s", args, got, code, want, out.String())
		}
	}
	command(exitOK, "0 batches set aside", "batches", "list")
	const id = "1700123"
	execute(t, database.URL(), `
		INSERT INTO ingest.batches (project, id, kind, rows, min_ts, max_ts, failed_at, next_attempt_at, attempts, failure)
		VALUES (1, '`+id+`', 'events', 7, now(), now(), now(), now() + interval '1 hour', 3, 'rows are missing')`)
	command(exitOK, "default "+id+": 7 events, received ", "batches", "list")
	command(exitOK, "failed 3 times", "batches", "list")
	command(exitFailure, "default batch "+id+": 7 rows missing from the numbers", "reconcile")
	command(exitUsage, "needs the ids of batches, or --all", "batches", "release")
	command(exitUsage, "needs the ids of batches, or --all", "batches", "release", "--all", id)
	command(exitUsage, "is not the id of a batch", "batches", "release", "0195a3f4-11d5-7a02-9e1c-4d6f8a0b2c3e")
	command(exitFailure, "1 of 1 ids name no batch", "batches", "release", "17")
	command(exitOK, "Released 1 batch,", "batches", "release", id)
	command(exitOK, "Released 1 batch,", "batches", "release", "--all")
	execute(t, database.URL(), `DO $$ BEGIN ASSERT (SELECT next_attempt_at <= clock_timestamp() FROM ingest.batches); END $$`)
	released := `command batches.released {"last": ` + id + `, "first": ` + id + `, "batches": 1}`
	wantAudit(t, database.URL(), `command reconcile.begun {"to": null, "from": null}`, released, released)

	execute(t, database.URL(), `UPDATE ingest.batches SET next_attempt_at = now() + interval '1 hour'`)
	audittest.Break(t, database.URL())
	command(exitFailure, "audit batches.released", "batches", "release", id)
	execute(t, database.URL(), `DO $$ BEGIN ASSERT (SELECT next_attempt_at > clock_timestamp() FROM ingest.batches); END $$`)
}

// TestRetentionCommand lists expired partitions and drops them, but not while rows of those weeks are not folded.
func TestRetentionCommand(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	environ := []string{"DATABASE_URL=" + database.URL(), "LOG_LEVEL=error", "RETENTION_DAYS=30"}
	command := func(code int, args []string, want ...string) {
		t.Helper()
		var out strings.Builder
		if got := Run(t.Context(), args, environ, &out, &out); got != code {
			t.Errorf("%v: exit code %d, want %d: %s", args, got, code, out.String())
		}
		for _, text := range want {
			if !strings.Contains(out.String(), text) {
				t.Errorf("%v: no %q in: %s", args, text, out.String())
			}
		}
	}
	show, drop := []string{"retention"}, []string{"retention", "--apply"}
	command(exitOK, drop, "0 partitions of 0 bytes end before ")
	execute(t, database.URL(), `SELECT ingest.ensure_partitions('2020-01-01', '2020-01-06'), ingest.ensure_partitions(current_date, current_date)`)
	execute(t, database.URL(), `INSERT INTO ingest.batches (project, id, kind, rows, min_ts, max_ts) VALUES (1, 5, 'events', 7, '2020-01-01', '2020-01-06')`)
	execute(t, database.URL(), `
		INSERT INTO ingest.events (project, ts, id, batch, user_n, name)
		SELECT 1, '2020-01-01'::timestamptz, gen_random_uuid(), 4, 3, 1 FROM generate_series(1, 3)
		UNION ALL SELECT 1, '2020-01-06', gen_random_uuid(), 5, 3, 1`)
	execute(t, database.URL(), `ANALYZE ingest.events_w20191230`)
	execute(t, database.URL(), `INSERT INTO stats.daily_stats (project, day, lane) VALUES (1, '2020-01-01', 0)`)
	pending := "while 1 batches of 7 rows, some of them of those weeks, are not folded"
	command(exitOK, show, "ingest.events_w20191230: about 3 rows, ", "ingest.events_w20200106: an unknown number of rows", "kept for default", pending)
	command(exitFailure, drop, "Dropped 0 partitions.", pending)
	execute(t, database.URL(), `UPDATE ingest.batches SET aggregated_at = now()`)
	command(exitOK, show, "2 partitions of ")
	execute(t, database.URL(), `REVOKE INSERT ON audit.log FROM hp_aggregator`)
	command(exitFailure, drop, "audit retention.applied")
	command(exitOK, show, "2 partitions of ")
	execute(t, database.URL(), `GRANT INSERT ON audit.log TO hp_aggregator`)
	wantAudit(t, database.URL())
	command(exitOK, drop, "Dropped 2 partitions.")
	if log := audittest.Lines(t, database.URL()); len(log) != 1 || !strings.HasPrefix(log[0], "command retention.applied ") || !strings.Contains(log[0], `"partitions": 2}`) {
		t.Errorf("the audit log has %v", log)
	}
	command(exitOK, show, "0 partitions of ")
	// Newer rows and the rollups are still there.
	execute(t, database.URL(), `DO $$ BEGIN
		ASSERT (SELECT count(*) FROM pg_inherits WHERE inhparent = 'ingest.events'::regclass) = 1;
		ASSERT (SELECT count(*) FROM stats.daily_stats) = 1;
	END $$`)
}

// TestRepairBesideTheRunningPlatform corrupts a rollup row of a platform with every service running: reconcile names the
// row, rebuild replaces it and invalidates the caches, and reconcile finds nothing more.
func TestRepairBesideTheRunningPlatform(t *testing.T) {
	t.Parallel()
	database, cache := dbtest.New(t), redistest.New(t)
	environ := []string{
		"DATA_DIR=" + dataDir(t), "PORT=0", "DATABASE_URL=" + database.URL(), "REDIS_URL=" + string(cache.URL),
		"ADMIN_EMAIL=root@example.com", "ADMIN_PASSWORD=correct horse battery",
	}
	_, url := up(t, environ...)
	demo := []string{"demo", "--url", url, "--events", "500", "--days", "2", "--products", "5", "--users", "20"}
	if code, out := run(t, demo, environ...); code != exitOK {
		t.Fatalf("demo: exit code %d:\n%s", code, out)
	}
	platformtest.Eventually(t, time.Minute, "auth and the aggregator have leaders", func() bool {
		var leaders int
		query(t, database.URL(), `
			SELECT count(*) FROM pg_locks
			WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, &leaders)
		return leaders >= 2
	})
	wantNoDifferences(t, environ...)

	const dayViews = `SELECT sum(views)::int FROM stats.daily_stats WHERE day = (SELECT min(day) FROM stats.daily_stats)`
	var correct, repaired int
	query(t, database.URL(), dayViews, &correct)
	execute(t, database.URL(), `UPDATE stats.daily_stats SET views = views + 7 WHERE day = (SELECT min(day) FROM stats.daily_stats) AND lane = 0`)
	var day string
	query(t, database.URL(), `SELECT min(day)::text FROM stats.daily_stats`, &day)
	code, out := run(t, []string{"reconcile"}, environ...)
	if code != exitFailure || !strings.Contains(out, "default stats.daily "+day+": views is ") || !strings.Contains(out, ": 1 difference.") {
		t.Errorf("reconcile does not name the corrupted row: exit code %d:\n%s", code, out)
	}
	client := redistest.ClientOf(t, cache, postgres.Identity(database.Pool("")))
	versions := redistest.Key(t, client, protocol.VersionsKey)
	before := client.HGet(t.Context(), versions, protocol.ProjectField(1)).Val()
	code, out = run(t, []string{"rebuild", "--from", day, "--to", day}, environ...)
	// The output counts more than the corrupted row: the bytes of a sketch depend on the order of folds, so rebuild replaces
	// sketches that are equal in value as well.
	query(t, database.URL(), dayViews, &repaired)
	if code != exitOK || repaired != correct || !strings.Contains(out, "Rebuilt 1 day ") || strings.Contains(out, "caches") {
		t.Errorf("rebuild: exit code %d, %d views instead of %d:\n%s", code, repaired, correct, out)
	}
	if after := client.HGet(t.Context(), versions, protocol.ProjectField(1)).Val(); after == before {
		t.Errorf("the version token of rankings is still %q", after)
	}
	wantNoDifferences(t, environ...)
}
