package postgres

import (
	"slices"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// TestProjectsShareAFlush stores the same ids of two projects in one flush, with and without conflict checks. Each project has a
// batch with its own facts, and learns nothing of the other's.
func TestProjectsShareAFlush(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 250} {
		for _, checked := range []bool{false, true} {
			s, database := newStore(t)
			if checked {
				s.events.conflicted()
			}
			other := addProject(t, database)
			mine := someEvents(n)
			theirs := slices.Clone(mine)
			for i := range theirs {
				theirs[i].Project, theirs[i].User = other, theirs[i].User+100_000
			}
			execute(t, database, `INSERT INTO ingest.users (project, anonymous, n, id) OVERRIDING SYSTEM VALUE
				SELECT $1, anonymous, n + 100000, id FROM ingest.users`, other)
			shared := append(slices.Clone(mine), theirs...)
			stored, err := s.StoreEvents(t.Context(), shared)
			if err != nil || !slices.Equal(stored.Statuses, statuses(2*n, event.Accepted)) || stored.Batches[1] == stored.Batches[other] {
				t.Fatalf("%d events of each project: %v, %v", n, stored, err)
			}
			compareFacts(t, database, stored.Batches[1], mine)
			compareFacts(t, database, stored.Batches[other], theirs)
			if again, err := s.StoreEvents(t.Context(), shared); err != nil || !slices.Equal(again.Statuses, statuses(2*n, event.Duplicate)) {
				t.Errorf("again: %v, %v", again, err)
			}

			own, foreign := identityIn(mine[0], 1), identityIn(mine[0], 99)
			if pending, err := s.PendingOf(t.Context(), []event.Identity{own}); err != nil || !slices.Equal(pending, []int64{stored.Batches[1]}) {
				t.Errorf("batches of an event: %v, %v", pending, err)
			}
			if pending, err := s.PendingOf(t.Context(), []event.Identity{foreign}); err != nil || len(pending) != 0 {
				t.Errorf("batches of an event of nobody: %v, %v", pending, err)
			}
			if _, err := s.Receipt(t.Context(), other, stored.Batches[1]); err == nil {
				t.Error("a project can read another project's receipt")
			}
		}
	}
}

// TestAMovedEventIsOfItsProject stores an event of a project that has the id and the ts of a moved event of another one, in a flush
// whose times include that ts in both.
func TestAMovedEventIsOfItsProject(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	other := addProject(t, database)
	theirs := someEvents(1)[0]
	if _, err := s.FirstTimes(t.Context(), []event.Receipt{{Project: other, ID: theirs.ID, Sent: theirs.TS, TS: theirs.TS.Add(-2 * time.Hour)}}); err != nil {
		t.Fatal(err)
	}
	same, near := theirs, someEvents(1)[0]
	near.Project, near.TS = other, theirs.TS
	stored, err := s.StoreEvents(t.Context(), []event.Event{same, near})
	if err != nil || !slices.Equal(stored.Statuses, statuses(2, event.Accepted)) {
		t.Errorf("got %v, %v", stored, err)
	}
}

func identityIn(e event.Event, project int16) event.Identity {
	return event.Identity{Project: project, ID: e.ID, TS: e.TS}
}
