package postgres

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// TestOtherContentIsAConflict sends the id and ts of an event again with each part of its content changed, in a flush with it and
// in a later one.
func TestOtherContentIsAConflict(t *testing.T) {
	t.Parallel()
	first := someEvents(1)[0]
	first.Product, first.Properties, first.User = 1, []byte(`{"a": 1.50, "b": {}}`), 4
	change := func(change func(*event.Event)) event.Event {
		e := first
		change(&e)
		return e
	}
	others := []event.Event{
		first,
		change(func(e *event.Event) { e.Properties = []byte(`{"b":{},"a":1.5,"$skew_ms":-70000}`) }),
		change(func(e *event.Event) { e.User, e.Anonymous = 5, 4 }), // stored before the visitor was known
		change(func(e *event.Event) { e.Name++ }),
		change(func(e *event.Event) { e.Product = 2 }),
		change(func(e *event.Event) { e.Product = 0 }),
		change(func(e *event.Event) { e.User = 5 }),
		change(func(e *event.Event) { e.Properties = nil }),
		change(func(e *event.Event) { e.Properties = []byte(`{"a": 1.51, "b": {}}`) }),
	}
	want := slices.Concat(statuses(3, event.Duplicate), statuses(6, event.Conflicting))
	for _, together := range []bool{true, false} {
		t.Run(strconv.FormatBool(together), func(t *testing.T) {
			t.Parallel()
			s, database := newStore(t)
			got := []event.Status{event.Accepted}
			if together {
				stored, err := s.StoreEvents(t.Context(), slices.Concat([]event.Event{first}, others))
				if err != nil {
					t.Fatal(err)
				}
				got = stored.Statuses
			} else {
				store(t, s, []event.Event{first})
				for _, other := range others {
					stored, err := s.StoreEvents(t.Context(), []event.Event{other})
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, stored.Statuses...)
				}
			}
			if !slices.Equal(got, slices.Concat([]event.Status{event.Accepted}, want)) {
				t.Errorf("got %v", got)
			}
			compareStored(t, database, []event.Event{{Fact: event.Fact{Project: 1, ID: first.ID, TS: first.TS, Product: 1, User: 4}, Name: first.Name, Properties: first.Properties}})
			if n := count(t, database, `SELECT sum(rows) FROM ingest.batches`); n != 1 {
				t.Errorf("the batches count %d rows", n)
			}
			if n := count(t, database, `SELECT count(*) FROM ingest.users WHERE first_seen IS NOT NULL`); n != 1 {
				t.Errorf("%d users were seen, want only that of the stored row", n)
			}
		})
	}
}

// TestFirstSeenOnlyFalls stores events of a user in several orders, in both ways, by two processes.
func TestFirstSeenOnlyFalls(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	other := New(database.Pool("hp_ingest"), prometheus.NewRegistry())
	base := time.Now().UTC().Truncate(time.Microsecond)
	for i, step := range []struct {
		store   *Store
		ago     time.Duration
		checked bool
		want    time.Duration
	}{
		{s, 2 * time.Hour, false, 2 * time.Hour}, {other, time.Hour, false, 2 * time.Hour}, {s, 3 * time.Hour, true, 3 * time.Hour},
		{other, 150 * time.Minute, false, 3 * time.Hour}, {s, 4 * time.Hour, false, 4 * time.Hour}, {other, time.Minute, true, 4 * time.Hour},
	} {
		if step.checked {
			step.store.events.conflicted()
		}
		e := someEvents(1)
		e[0].TS = base.Add(-step.ago)
		store(t, step.store, e)
		var seen time.Time
		if err := database.Pool("").QueryRow(t.Context(), `SELECT first_seen FROM ingest.users WHERE project = 1 AND n = 1`).Scan(&seen); err != nil || !seen.Equal(base.Add(-step.want)) {
			t.Errorf("step %d: first seen %s ago, %v; want %s", i, base.Sub(seen), err, step.want)
		}
	}
}

// TestKnownUsersAreNotTouched stores events of a user whose first_seen cannot fall: no row of a user is locked.
func TestKnownUsersAreNotTouched(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	events := someEvents(9)
	store(t, s, events)
	held, err := database.Pool("").Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Rollback(context.WithoutCancel(t.Context()))
	if _, err := held.Exec(t.Context(), `SELECT FROM ingest.users FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	for i := range events {
		events[i].ID, events[i].TS = uuid.New(), events[i].TS.Add(time.Millisecond)
	}
	store(t, s, events)
}

// TestWritersOfTheSameUsersDoNotDeadlock lowers first_seen of the same users from many flushes at once, beside joins.
func TestWritersOfTheSameUsersDoNotDeadlock(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	const writers, users = 6, 300
	var writing sync.WaitGroup
	base := someEvents(users)
	for w := range writers {
		events := slices.Clone(base)
		for i := range events {
			events[i].ID, events[i].TS = uuid.New(), events[i].TS.Add(-time.Duration((w+i)%writers)*time.Minute)
		}
		if w%2 == 1 {
			slices.Reverse(events)
		}
		writing.Go(func() { store(t, s, events) })
	}
	writing.Wait()
	if n := count(t, database, `SELECT count(*) FROM ingest.users AS u
		JOIN (SELECT project, user_n, min(ts) AS ts FROM ingest.events GROUP BY 1, 2) AS e ON e.project = u.project AND e.user_n = u.n AND e.ts = u.first_seen`); n != users {
		t.Errorf("%d users have the right first_seen, want %d", n, users)
	}
}

// TestFirstReceiptsAreRemembered records when events are counted that were too far ahead or had no ts, from many goroutines, and sends
// one of them again when its ts is not ahead any more.
func TestFirstReceiptsAreRemembered(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	at := time.Now().UTC().Truncate(time.Microsecond)
	events := someEvents(20)
	wanted := make([]event.Receipt, len(events))
	for i, e := range events {
		wanted[i] = event.Receipt{Project: 1, ID: e.ID, Sent: e.TS}
		if i >= 15 {
			wanted[i].Sent = time.Time{}
		}
	}
	answers := make([][]time.Time, 5)
	var receiving sync.WaitGroup
	for i := range answers {
		mine := slices.Clone(wanted)
		for n := range mine {
			mine[n].TS = at.Add(-time.Duration(i) * time.Second)
		}
		receiving.Go(func() {
			var err error
			if answers[i], err = s.FirstTimes(t.Context(), mine); err != nil {
				t.Error(err)
			}
		})
	}
	receiving.Wait()
	for i := range answers {
		if !slices.Equal(answers[i], answers[0]) || answers[i][16].After(at) || answers[i][16].Before(at.Add(-time.Minute)) {
			t.Errorf("answers differ: %v, %v", answers[i], answers[0])
		}
	}

	first := events[7]
	first.TS = answers[0][7]
	store(t, s, []event.Event{first})
	for _, checked := range []bool{false, true} {
		if checked {
			s.events.conflicted()
		}
		again := someEvents(9)
		again[3] = events[7]
		_, err := s.StoreEvents(t.Context(), again)
		obstacles, _ := errors.AsType[event.BlockedError](err)
		if clamped, ok := errors.AsType[event.ClampedError](obstacles[3]); !ok || len(obstacles) != 1 || !clamped.TS.Equal(first.TS) {
			t.Errorf("checked %t: got %v", checked, err)
		}
	}
	s.events.toCheck.Store(0)
	_, err := s.StoreEvents(t.Context(), events[7:8])
	alone, _ := errors.AsType[event.BlockedError](err)
	if clamped, ok := errors.AsType[event.ClampedError](alone[0]); !ok || !clamped.TS.Equal(first.TS) {
		t.Errorf("alone: got %v", err)
	}
	near := someEvents(1)
	near[0].TS = events[7].TS // another event at the same time
	store(t, s, near)
	if n := count(t, database, `SELECT count(*) FROM ingest.events`); n != 2 {
		t.Errorf("%d rows", n)
	}
}

// TestAnEventThatIsStoredIsNotMoved asks for the time of an event that was stored with its own ts, although it is too far ahead by
// the clock of its retry.
func TestAnEventThatIsStoredIsNotMoved(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	stored, other := someEvents(1)[0], someEvents(1)[0]
	stored.TS, other.TS = stored.TS.Add(2*time.Hour), other.TS.Add(2*time.Hour)
	store(t, s, []event.Event{stored})
	now := time.Now().UTC().Truncate(time.Microsecond)
	got, err := s.FirstTimes(t.Context(), []event.Receipt{
		{Project: 1, ID: stored.ID, Sent: stored.TS, TS: now}, {Project: 1, ID: other.ID, Sent: other.TS, TS: now},
	})
	if err != nil || !got[0].Equal(stored.TS) || !got[1].Equal(now) {
		t.Errorf("got %v, %v", got, err)
	}
	if n := count(t, database, `SELECT count(*) FROM ingest.event_times`); n != 1 {
		t.Errorf("%d times are recorded", n)
	}
}

// TestARetryBeforeAProcessLearnsOfAPerson sends an event again to a process that does not know yet that its visitor is the person
// for whom it is stored.
func TestARetryBeforeAProcessLearnsOfAPerson(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	execute(t, database, `INSERT INTO ingest.users (project, anonymous, n, id, person, joined_at) OVERRIDING SYSTEM VALUE
		VALUES (1, true, 900001, 'visitor', 5, now())`)
	first := someEvents(1)[0]
	first.User, first.Anonymous = 5, 900001
	store(t, s, []event.Event{first})
	retry, other := first, first
	retry.User, other.User, other.Anonymous = 900001, 6, 6
	got, err := s.StoreEvents(t.Context(), []event.Event{retry, other})
	if want := []event.Status{event.Duplicate, event.Conflicting}; err != nil || !slices.Equal(got.Statuses, want) {
		t.Errorf("got %v, %v", got.Statuses, err)
	}
}

// TestManyMovedEventsAreNotRead stores a flush whose times include those of thousands of events that were moved. Each of its rows costs
// one look-up by key. Events that keep their time cost nothing: the insert of new rows stores the flush.
func TestManyMovedEventsAreNotRead(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	execute(t, database, `INSERT INTO ingest.event_times (project, ts_sent, id, ts)
		SELECT 1, now() - n * interval '1 second', gen_random_uuid(), now() - n * interval '1 second' - moved
		FROM generate_series(1, 10000) AS n, (VALUES (interval '0'), (interval '2 hours')) AS m (moved)`)
	execute(t, database, `ANALYZE ingest.event_times`)
	events := someEvents(10) // of the last hours
	f, err := s.newFlush(t.Context(), events)
	if err != nil {
		t.Fatal(err)
	}
	c := newEventColumns(f)
	read := func(query string, args ...any) (rows int) {
		var plans []struct{ Plan planNode }
		if err := database.Pool("").QueryRow(t.Context(), `EXPLAIN (ANALYZE, FORMAT JSON) `+query, args...).Scan(&plans); err != nil {
			t.Fatal(err)
		}
		return plans[0].Plan.rowsOf("event_times")
	}
	batches := "unnest($4::smallint[], $5::timestamptz[], $6::timestamptz[])"
	if n := read(movedBefore(batches, "$1", "$2", "$3"), c.project, c.ts, c.id, c.batchProject, c.first, c.last); n > len(events)+len(c.batchID) {
		t.Errorf("%d rows are read for %d events", n, len(events))
	}

	execute(t, database, `DELETE FROM ingest.event_times WHERE ts <> ts_sent`)
	if err := s.storeNewEvents(t.Context(), f); err != nil {
		t.Errorf("among events that keep their time: %v", err)
	}
}

// planNode is a node of an EXPLAIN in JSON, as far as it tells how many rows were read.
type planNode struct {
	Relation string  `json:"Relation Name"`
	Rows     float64 `json:"Actual Rows"`
	Removed  float64 `json:"Rows Removed by Filter"`
	Loops    float64 `json:"Actual Loops"`
	Plans    []planNode
}

func (p planNode) rowsOf(relation string) (rows int) {
	if p.Relation == relation {
		rows = int((p.Rows + p.Removed) * p.Loops)
	}
	for _, child := range p.Plans {
		rows += child.rowsOf(relation)
	}
	return rows
}
