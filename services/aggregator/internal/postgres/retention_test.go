package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

func TestDropExpired(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 11)
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 2, Rows: 1000}
	w.First = w.First.AddDate(0, 0, 2) // a Saturday: the first two days are those of the week that is dropped
	for range 20 {
		w.Batch(20)
	}
	before := w.First.AddDate(0, 0, 2)
	count := func(what string) (n int) {
		t.Helper()
		if err := w.Pool.QueryRow(t.Context(), `SELECT count(*) FROM `+what).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	drop := func(want int) {
		t.Helper()
		if dropped, err := store.DropExpired(t.Context(), before); err != nil || len(dropped) != want {
			t.Fatalf("dropped %v, %v; want %d partitions", dropped, err, want)
		}
	}
	raw := count("ingest.events")
	if expired, err := store.Expired(t.Context(), before); err != nil || len(expired.Partitions) != 0 || len(expired.Held) != 1 || expired.PendingBatches == 0 {
		t.Errorf("while batches pend: %+v, %v", expired, err)
	}
	drop(0) // rows of those days are not folded yet
	if err := drain(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	rollups := count("stats.product_daily_stats")

	// Somebody reads: writers must not queue up behind the drop for long.
	reader, err := w.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Exec(t.Context(), `SELECT count(*) FROM ingest.events`); err != nil {
		t.Fatal(err)
	}
	if _, err := store.DropExpired(t.Context(), before); !errs.Is(err, errs.Unavailable) {
		t.Errorf("beside a long reader: %v", err)
	}
	if err := reader.Rollback(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if n := count("ingest.events"); n != raw {
		t.Errorf("%d raw events are left of %d, though nothing was dropped", n, raw)
	}

	if _, err := w.Pool.Exec(t.Context(), `ANALYZE ingest.events`); err != nil {
		t.Fatal(err)
	}
	expired, err := store.Expired(t.Context(), before)
	if err != nil || len(expired.Partitions) != 1 || expired.PendingBatches != 0 {
		t.Errorf("expired: %+v, %v", expired, err)
	}
	dropped, err := store.DropExpired(t.Context(), before)
	if diff := cmp.Diff(expired.Partitions, dropped); err != nil || diff != "" {
		t.Errorf("dropped, %v (-shown +dropped):\n%s", err, diff)
	}
	drop(0)
	if n := count("ingest.events WHERE ts < '2026-01-05'"); n != 0 {
		t.Errorf("%d raw events of dropped days", n)
	}
	// Another project may need these days. They stay closed to the one whose rows were dropped.
	if made, err := store.EnsurePartitions(t.Context(), w.First, before); err != nil || made != 1 {
		t.Errorf("%d partitions of dropped weeks were made again, %v; want 1", made, err)
	}
	const again = `INSERT INTO ingest.events (project, ts, id, user_n, name, batch) VALUES (1, $1, gen_random_uuid(), 1, 1, 1)`
	if _, err := w.Pool.Exec(t.Context(), again, w.First); err == nil || !strings.Contains(err.Error(), "dropped_days") {
		t.Errorf("a row of a dropped day: %v", err)
	}
	if n := count("stats.product_daily_stats"); n != rollups {
		t.Errorf("%d rollup rows are left of %d", n, rollups)
	}
	report, err := reconcile.Run(t.Context(), store.Pool, reconcile.Options{Details: t.Output()})
	if err != nil || report.Differences != 0 || len(report.Unchecked) != 1 || len(report.Unchecked[0].Days) != 2 {
		t.Errorf("reconcile: %+v, %v", report, err)
	}
}

// TestRowsThatComeInWhileTheirPartitionIsDropped are committed while the drop waits for their writer: they must stay until
// they are folded.
func TestRowsThatComeInWhileTheirPartitionIsDropped(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 12)
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 2, Rows: 1000}
	writer, err := w.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Rollback(context.WithoutCancel(t.Context()))
	const event = `INSERT INTO ingest.events (project, ts, id, batch, user_n, name) VALUES (1, $1, gen_random_uuid(), 7, $2, 1)`
	const batch = `INSERT INTO ingest.batches (project, id, kind, rows, min_ts, max_ts, facts) VALUES (1, 7, 'events', 1, $1, $1, $2)`
	data := facts.AppendEvent(facts.AppendHeader(nil, w.First), w.First, facts.Event{TS: w.First, User: w.Users[0], Name: stats.View})
	if _, err := writer.Exec(t.Context(), event, w.First, w.Users[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Exec(t.Context(), batch, w.First, data); err != nil {
		t.Fatal(err)
	}
	dropped := make(chan error, 1)
	go func() {
		_, err := store.DropExpired(t.Context(), w.First.AddDate(0, 0, 4))
		dropped <- err
	}()
	platformtest.Eventually(t, 5*time.Second, "the drop waits for the writer", func() bool {
		var waits bool
		const query = `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`
		return w.Pool.QueryRow(t.Context(), query).Scan(&waits) == nil && waits
	})
	if err := writer.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-dropped; err != nil {
		t.Errorf("DropExpired: %v", err)
	}
	if folded, err := store.Fold(t.Context()); err != nil || folded.Rows != 1 {
		t.Errorf("folded %+v, %v; want the row that came in", folded, err)
	}
}

// TestTimesOfDroppedWeeks checks that a drop deletes no rows of ingest.event_times, and that bounded chunks do it afterwards.
func TestTimesOfDroppedWeeks(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 13)
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 2, Rows: 1000}
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := w.Pool.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	times := func(sql string, args ...any) (n int) {
		t.Helper()
		if err := w.Pool.QueryRow(t.Context(), `SELECT count(*) FROM ingest.event_times `+sql, args...).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const fill = `
		INSERT INTO ingest.event_times (project, ts_sent, id, ts)
		SELECT 1, '-infinity', gen_random_uuid(), $1::timestamptz + (n - 1) / 2 * interval '1 millisecond' FROM generate_series(1, $2::int) AS n`
	first := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	second, third, kept := first.AddDate(0, 0, 7), first.AddDate(0, 0, 14), first.AddDate(0, 0, 21)
	w.Partitions(first, 27)
	exec(fill, first, 25_000)
	exec(fill, second.Add(-20*time.Millisecond), 25_000) // most are of the next week
	exec(fill, third, 300)
	exec(fill, kept, 500)
	exec(`
		CREATE TABLE public.chunks (rows bigint);
		CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
			$$ BEGIN INSERT INTO public.chunks SELECT count(*) FROM gone; RETURN NULL; END $$;
		CREATE TRIGGER note AFTER DELETE ON ingest.event_times REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION public.note()`)
	exec(`SELECT ingest.drop_partitions_before($1, false)`, second)
	if n := times(`WHERE ts < $1`, second); n != 25_040 {
		t.Errorf("the drop has left %d rows of its week", n)
	}
	for range 2 { // the second time there is nothing to do
		if _, err := store.DropExpired(t.Context(), third); err != nil {
			t.Fatal(err)
		}
	}
	if n := times(``); n != 800 || times(`WHERE ts >= $1`, kept) != 500 {
		t.Errorf("%d rows are left, want those of the weeks that are kept", n)
	}
	var chunks, most, all int
	if err := w.Pool.QueryRow(t.Context(), `SELECT count(*), max(rows), sum(rows) FROM public.chunks`).Scan(&chunks, &most, &all); err != nil {
		t.Fatal(err)
	}
	if chunks != 6 || most > 10_000 || all != 50_000 {
		t.Errorf("%d chunks of up to %d rows have deleted %d", chunks, most, all)
	}
	// The first week has a partition that an import keeps, and the second one has none.
	exec(`SELECT ingest.ensure_partitions($1::date, $1::date)`, first)
	exec(`INSERT INTO ingest.imports (project, id, first_day, last_day) VALUES (1, gen_random_uuid(), $1::date, $1::date)`, first)
	exec(`INSERT INTO ingest.events (project, ts, id, batch, user_n, name) VALUES (1, $1, gen_random_uuid(), 7, 1, 1)`, first)
	exec(fill, first, 10)
	exec(fill, second, 20)
	if _, err := store.DropExpired(t.Context(), third); err != nil || times(``) != 810 {
		t.Errorf("%d rows are left with a week that is kept, %v", times(``), err)
	}
}

// TestRowsOfAnImportThatComeInWhileTheirPartitionIsDropped are committed while the drop waits for their writer: the import keeps them.
func TestRowsOfAnImportThatComeInWhileTheirPartitionIsDropped(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 14)
	writer, err := w.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Rollback(context.WithoutCancel(t.Context()))
	for _, sql := range []string{
		`INSERT INTO ingest.imports (project, id, first_day, last_day) VALUES (1, gen_random_uuid(), $1::timestamptz::date, $1::timestamptz::date)`,
		`INSERT INTO ingest.events (project, ts, id, batch, user_n, name) VALUES (1, $1, gen_random_uuid(), 7, 1, 1)`,
	} {
		if _, err := writer.Exec(t.Context(), sql, w.First); err != nil {
			t.Fatal(err)
		}
	}
	dropped := make(chan error, 1)
	go func() {
		_, err := w.Pool.Exec(t.Context(), `SELECT ingest.drop_partitions_before($1, false)`, w.First.AddDate(0, 0, 4))
		dropped <- err
	}()
	platformtest.Eventually(t, 5*time.Second, "the drop waits for the writer", func() bool {
		var waits bool
		const query = `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`
		return w.Pool.QueryRow(t.Context(), query).Scan(&waits) == nil && waits
	})
	if err := writer.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-dropped; err != nil {
		t.Fatal(err)
	}
	var n int
	if err := w.Pool.QueryRow(t.Context(), `SELECT count(*) FROM ingest.events`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d events, %v; want the one of the import", n, err)
	}
}
