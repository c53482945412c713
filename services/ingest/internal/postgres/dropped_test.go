package postgres

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// longAgo is a time of a week that the tests drop.
var longAgo = time.Now().UTC().Truncate(day).AddDate(0, 0, -12).Add(time.Hour)

// dropEarlier drops that week when all is folded.
const dropEarlier = `UPDATE ingest.batches SET aggregated_at = now(); SELECT ingest.drop_partitions_before(current_date - 5, false)`

func count(t *testing.T, database *dbtest.Database, query string, args ...any) (n int) {
	t.Helper()
	if err := database.Pool("").QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// wantDropped checks that exactly the events at index were refused because of their day.
func wantDropped(t *testing.T, err error, index ...int) {
	t.Helper()
	blocked, _ := errors.AsType[event.BlockedError](err)
	if got := slices.Sorted(maps.Keys(blocked)); !slices.Equal(got, index) {
		t.Fatalf("blocked are %v, %v; want %v", got, err, index)
	}
	for _, reason := range blocked {
		if !errors.Is(reason, event.ErrDayDropped) {
			t.Errorf("the reason is %v", reason)
		}
	}
}

// TestADroppedDayTakesNoRows sends items again after the rows that would show that they are known were dropped.
func TestADroppedDayTakesNoRows(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	events := someEvents(3)
	events[1].TS = longAgo
	if _, err := store.StoreEvents(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	execute(t, database, dropEarlier)

	for range 2 { // the second time the day is known
		_, err := store.StoreEvents(t.Context(), events)
		wantDropped(t, err, 1)
	}
	if n := count(t, database, `SELECT count(*) FROM ingest.events WHERE ts < current_date - 11`); n != 0 {
		t.Errorf("the dropped day has %d rows", n)
	}
	if n := count(t, database, `SELECT sum(rows)::integer FROM ingest.batches`); n != 3 {
		t.Errorf("%d rows are to be counted, want 3", n)
	}
}

// TestAKnownDroppedDayNeedsNoPartition holds the lock that is needed to make partitions. Events of a day that is known to be
// dropped are refused without it.
func TestAKnownDroppedDayNeedsNoPartition(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	events := someEvents(2)
	events[1].TS = longAgo
	if _, err := store.StoreEvents(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	execute(t, database, dropEarlier)
	_, err := store.StoreEvents(t.Context(), events)
	wantDropped(t, err, 1)
	held, err := database.Pool("").Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Rollback(context.WithoutCancel(t.Context()))
	if _, err := held.Exec(t.Context(), `SELECT pg_advisory_xact_lock($1, $2)`, locks.Partitions.Class(), locks.Partitions.ID()); err != nil {
		t.Fatal(err)
	}
	_, err = store.StoreEvents(t.Context(), events)
	wantDropped(t, err, 1)
}

// TestADropBesideAFlush lets a flush begin while its day is being dropped. The flush waits for the drop, so its transaction
// meets the dropped day, though the partition was there when it began.
func TestADropBesideAFlush(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 250} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			store, database := newStore(t)
			first := someEvents(1)
			first[0].TS = longAgo
			if _, err := store.StoreEvents(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			drop, err := database.Pool("").Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer drop.Rollback(context.WithoutCancel(t.Context()))
			if _, err := drop.Exec(t.Context(), dropEarlier); err != nil {
				t.Fatal(err)
			}
			events := someEvents(n)
			events[1] = first[0] // sent again
			flushed := make(chan error, 1)
			go func() {
				_, err := store.StoreEvents(t.Context(), events)
				flushed <- err
			}()
			platformtest.Eventually(t, time.Minute, "the flush waits for the drop", func() bool {
				return count(t, database, `SELECT count(*) FROM pg_locks
					WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) > 0
			})
			if err := drop.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantDropped(t, <-flushed, 1)
			if n := count(t, database, `SELECT count(*) FROM ingest.events`); n != 0 {
				t.Errorf("%d rows are stored", n)
			}
		})
	}
}

// TestADayIsDroppedForItsProject lets another project bring a dropped day back. The first one's rows stay refused, though the
// partition is there: by a process that knows that the day was dropped, and by one that does not.
func TestADayIsDroppedForItsProject(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	other := addProject(t, database)
	events := someEvents(2)
	events[1].TS = longAgo
	if _, err := store.StoreEvents(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	execute(t, database, dropEarlier)
	visitor := someEvents(1)
	visitor[0].Project, visitor[0].TS = other, longAgo
	if _, err := store.StoreEvents(t.Context(), visitor); err != nil {
		t.Fatalf("another project has no rows of the day: %v", err)
	}
	both := append(someEvents(1), events[1], visitor[0])
	for name, s := range map[string]*Store{"knows the day": store, "new process": New(database.Pool("hp_ingest"), prometheus.NewRegistry())} {
		for range 2 {
			_, err := s.StoreEvents(t.Context(), both)
			if wantDropped(t, err, 1); t.Failed() {
				t.Fatal(name)
			}
		}
	}
	if n := count(t, database, `SELECT count(*) FROM ingest.events WHERE ts < current_date - 11`); n != 1 {
		t.Errorf("the day has %d rows, want that of the other project", n)
	}
	// It is dropped again, and now the other project has lost rows, too.
	execute(t, database, dropEarlier)
	_, err := store.StoreEvents(t.Context(), visitor)
	wantDropped(t, err, 0)
}

// TestAProjectOpensFewWeeks stops a project at its limit, and neither another project nor the weeks of the last month.
func TestAProjectOpensFewWeeks(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	other := addProject(t, database)
	execute(t, database, `INSERT INTO ingest.opened_weeks (project, week) SELECT 1, date '1980-01-07' + 7 * n FROM generate_series(1, $1::integer) AS n`, event.MaxOpenWeeks-1)
	first := time.Date(2011, 3, 4, 5, 6, 7, 0, time.UTC) // a Friday
	times := []time.Time{first, first.AddDate(0, 0, 3), first.AddDate(0, 0, 2), time.Now()}
	reasons, err := store.PrepareDays(t.Context(), 1, times)
	if err != nil || reasons[0] != nil || !errors.Is(reasons[1], event.ErrTooManyWeeks) || reasons[2] != nil || reasons[3] != nil {
		t.Errorf("one week is left: %v, %v", reasons, err)
	}
	events := someEvents(2)
	events[1].TS = times[1]
	_, err = store.StoreEvents(t.Context(), events)
	if blocked, _ := errors.AsType[event.BlockedError](err); len(blocked) != 1 || !errors.Is(blocked[1], event.ErrTooManyWeeks) {
		t.Errorf("stored without preparing: %v", err)
	}
	if reasons, err := store.PrepareDays(t.Context(), other, times); err != nil || !slices.Equal(reasons, make([]error, len(times))) {
		t.Errorf("another project: %v, %v", reasons, err)
	}
	if _, err := store.StoreEvents(t.Context(), events); err != nil {
		t.Errorf("the other project has opened the week: %v", err)
	}
	// Weeks that retention drops do not count any more.
	execute(t, database, `UPDATE ingest.batches SET aggregated_at = now()`)
	execute(t, database, `SELECT ingest.drop_partitions_before('2011-03-07', false)`)
	if reasons, err := store.PrepareDays(t.Context(), 1, []time.Time{first.AddDate(0, 0, -7)}); err != nil || reasons[0] != nil {
		t.Errorf("after a week was dropped: %v, %v", reasons, err)
	}
}

// TestDaysArePrepared makes the partitions of the weeks of some days, all but that of a dropped day.
func TestDaysArePrepared(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	first := time.Date(2011, 3, 4, 5, 6, 7, 0, time.UTC)
	days := []time.Time{first, first.AddDate(0, 0, 2), first.Add(time.Hour), first.AddDate(0, 0, 7), first.AddDate(0, 0, 14), time.Now()}
	execute(t, database, `INSERT INTO ingest.dropped_days (project, day) VALUES (1, '2011-03-11')`)
	for range 2 {
		reasons, err := store.PrepareDays(t.Context(), 1, days)
		if err != nil || !errors.Is(reasons[3], event.ErrDayDropped) || reasons[0] != nil || reasons[4] != nil || reasons[5] != nil {
			t.Fatalf("%v, %v", reasons, err)
		}
		if n := count(t, database, `SELECT count(*) FROM ingest.partitions WHERE week < '2011-04-01'`); n != 2 {
			t.Errorf("%d weeks have a partition", n)
		}
	}
}

// TestARequestPreparesFewWeeks asks for the days of 129 weeks. Each request makes a bounded number of partitions, and the last one is
// answered.
func TestARequestPreparesFewWeeks(t *testing.T) {
	t.Parallel()
	store, database := newStore(t)
	times := make([]time.Time, 900)
	for i := range times {
		times[i] = time.Date(2005, 1, 3, 12, 0, 0, 0, time.UTC).AddDate(0, 0, len(times)-i)
	}
	for made := event.MaxNewWeeks; ; made += event.MaxNewWeeks {
		reasons, err := store.PrepareDays(t.Context(), 1, times)
		if n := count(t, database, `SELECT count(*) FROM ingest.partitions`); n != min(made, 129) {
			t.Fatalf("%d partitions, want %d", n, min(made, 129))
		}
		if made >= 129 {
			if err != nil || len(reasons) != len(times) || slices.ContainsFunc(reasons, func(reason error) bool { return reason != nil }) {
				t.Errorf("the last request: %v, %v", reasons, err)
			}
			return
		}
		if !errors.Is(err, event.ErrPreparing) {
			t.Fatalf("%d weeks are prepared: %v", made, err)
		}
	}
}
