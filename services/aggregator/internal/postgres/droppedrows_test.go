package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

// TestAFailedBatchHoldsItsProjectOnly lets the batch of a project fail. The week of its rows stays for the project, and a day later the
// rows of the other project are gone, in bounded chunks. When the batch is folded at last, the partition goes.
func TestAFailedBatchHoldsItsProjectOnly(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 15)
	shop := w.InProject("shop", "UTC")
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 2, Rows: 1000}
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := w.Pool.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	count := func(what string, args ...any) (n int) {
		t.Helper()
		if err := w.Pool.QueryRow(t.Context(), `SELECT count(*) FROM `+what, args...).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range 10 {
		w.Events(20)
		shop.Events(20)
	}
	if err := drain(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	exec(`INSERT INTO ingest.events (project, ts, id, batch, user_n, name) SELECT $1, '2026-01-02 12:00Z', gen_random_uuid(), 7, 1, 1 FROM generate_series(1, 25000)`, shop.Project)
	exec(`INSERT INTO ingest.event_times (project, ts_sent, id, ts) SELECT p, '-infinity', gen_random_uuid(), '2026-01-02' FROM unnest(ARRAY[1, $1]::smallint[]) AS p`, shop.Project)
	exec(`UPDATE ingest.batches SET failed_at = now(), next_attempt_at = now() + interval '1 year', failure = 'damaged' WHERE id = $1`, w.Events(50))
	exec(`
		CREATE TABLE public.chunks (rows bigint);
		CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
			$$ BEGIN INSERT INTO public.chunks SELECT count(*) FROM gone; RETURN NULL; END $$;
		CREATE TRIGGER note AFTER DELETE ON ingest.events_w20251229 REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION public.note()`)
	const ofWeek = `ingest.events WHERE project = $1 AND ts < '2026-01-05'`
	held, others := count(ofWeek, w.Project), count(ofWeek, shop.Project)
	later := count(`ingest.events WHERE ts >= '2026-01-05'`)
	drop := func(daysPast, partitions, wantHeld, wantOthers int) {
		t.Helper()
		dropped, err := store.DropExpired(t.Context(), w.First.AddDate(0, 0, 4+daysPast))
		if err != nil || len(dropped) != partitions {
			t.Errorf("dropped %v, %v; want %d partitions", dropped, err, partitions)
		}
		if a, b := count(ofWeek, w.Project), count(ofWeek, shop.Project); a != wantHeld || b != wantOthers {
			t.Errorf("%d rows of the project and %d of the other one, want %d and %d", a, b, wantHeld, wantOthers)
		}
	}
	drop(0, 0, held, others) // the batch may only be late
	if n := count(`ingest.dropped_days`); n != 0 {
		t.Errorf("%d days are closed on the first day", n)
	}
	for range 2 {
		drop(1, 0, held, 0)
	}
	if n := count(`ingest.events WHERE ts >= '2026-01-05'`); n != later {
		t.Errorf("%d rows of the next week, want %d", n, later)
	}
	if n, most := count(`public.chunks WHERE rows > 0`), count(`public.chunks WHERE rows > 10000`); n < 6 || most > 0 {
		t.Errorf("%d chunks, %d of them too large", n, most)
	}
	if mine, theirs := count(`ingest.event_times WHERE project = $1`, w.Project), count(`ingest.event_times WHERE project = $1`, shop.Project); mine != 1 || theirs != 0 {
		t.Errorf("times: %d of the project, %d of the other one", mine, theirs)
	}
	expired, err := store.Expired(t.Context(), w.First.AddDate(0, 0, 5))
	if err != nil || len(expired.Partitions) != 0 || len(expired.Held) != 1 || strings.Join(expired.Held[0].HeldBy, ",") != "default" {
		t.Errorf("expired: %+v, %v", expired, err)
	}
	// The days are closed for the other project, and open for the one that holds them.
	const insert = `INSERT INTO ingest.events (project, ts, id, batch, user_n, name) VALUES ($1, '2026-01-02', gen_random_uuid(), 7, 1, 1)`
	if _, err := w.Pool.Exec(t.Context(), insert, shop.Project); err == nil || !strings.Contains(err.Error(), "dropped_days") {
		t.Errorf("a row of a closed day: %v", err)
	}
	report, err := reconcile.Run(t.Context(), store.Pool, reconcile.Options{Details: t.Output()})
	if err != nil || report.Differences != 0 || len(report.Failed) != 1 || len(report.Unchecked) != 1 || report.Unchecked[0].Project != "shop" || len(report.Unchecked[0].Days) != 4 {
		t.Errorf("reconcile: %+v, %v", report, err)
	}
	exec(`UPDATE ingest.batches SET failed_at = NULL, next_attempt_at = NULL, failure = NULL WHERE failed_at IS NOT NULL`)
	if err := drain(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	drop(1, 1, 0, 0)
}

// closeWeek closes the first four days of a writer for its project, because an import of another one holds their week.
func closeWeek(t *testing.T, w *batchtest.Writer) {
	t.Helper()
	shop := w.InProject("shop", "UTC")
	const event = `INSERT INTO ingest.events (project, ts, id, batch, user_n, name) SELECT $1, $2::timestamptz + n * interval '1 s', gen_random_uuid(), 7, 1, 1 FROM generate_series(1, 5) AS n`
	for _, project := range []int16{w.Project, shop.Project} {
		if _, err := w.Pool.Exec(t.Context(), event, project, w.First); err != nil {
			t.Fatal(err)
		}
	}
	const holds = `INSERT INTO ingest.imports (project, id, first_day, last_day) VALUES ($1, gen_random_uuid(), $2::date, $2::date)`
	if _, err := w.Pool.Exec(t.Context(), holds, shop.Project, w.First); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Pool.Exec(t.Context(), `SELECT ingest.drop_partitions_before($1, false)`, w.First.AddDate(0, 0, 5)); err != nil {
		t.Fatal(err)
	}
}

// TestADeletionGoesOnWithALongerRetention closes days without deleting their rows, as a process does that ends in between. Then rows are
// to be kept for longer.
func TestADeletionGoesOnWithALongerRetention(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 16)
	closeWeek(t, w)
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 2, Rows: 1000}
	if _, err := store.DropExpired(t.Context(), w.First.AddDate(0, 0, -100)); err != nil {
		t.Fatal(err)
	}
	var left []int16
	if err := w.Pool.QueryRow(t.Context(), `SELECT array_agg(project) FROM ingest.events`).Scan(&left); err != nil {
		t.Fatal(err)
	}
	if len(left) != 5 || left[0] == w.Project {
		t.Errorf("rows of the projects %v are left, want five of the one that holds them", left)
	}
}

// TestTwoDeleteTheSameRows lets a deletion wait for another one of the same chunk. It must not take that for the end of the day.
func TestTwoDeleteTheSameRows(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 17)
	closeWeek(t, w)
	const chunk = `SELECT ingest.delete_dropped_rows($1, $2::timestamptz::date, $2, 3)`
	first, err := w.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Rollback(context.WithoutCancel(t.Context()))
	var reached *time.Time
	if err := first.QueryRow(t.Context(), chunk, w.Project, w.First).Scan(&reached); err != nil || reached == nil {
		t.Fatalf("the first: %v, %v", reached, err)
	}
	type result struct {
		reached *time.Time
		err     error
	}
	second := make(chan result, 1)
	go func() {
		var r result
		r.err = w.Pool.QueryRow(t.Context(), chunk, w.Project, w.First).Scan(&r.reached)
		second <- r
	}()
	platformtest.Eventually(t, 30*time.Second, "the second waits", func() bool {
		var waits bool
		const query = `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`
		return w.Pool.QueryRow(t.Context(), query).Scan(&waits) == nil && waits
	})
	if err := first.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := <-second; r.err != nil || r.reached == nil || !r.reached.Equal(*reached) {
		t.Errorf("the second has reached %v, %v; want %v", r.reached, r.err, reached)
	}
	rows, _ := w.Pool.Query(t.Context(), `SELECT ts FROM ingest.events WHERE project = $1`, w.Project) // CollectRows returns its error
	if left, err := pgx.CollectRows(rows, pgx.RowTo[time.Time]); err != nil || len(left) != 2 {
		t.Errorf("%v are left, %v; want two rows", left, err)
	}
}
