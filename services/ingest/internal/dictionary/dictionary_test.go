package dictionary_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/dictionary"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// words is a source that numbers keys in the order in which it meets them, and remembers how often it was asked.
type words struct {
	users  map[dictionary.Key]dictionary.Entry
	names  map[event.NameRef]int16
	room   int // for further names
	asked  int
	joined int
}

func newWords() *words {
	return &words{users: map[dictionary.Key]dictionary.Entry{}, names: map[event.NameRef]int16{}, room: 2}
}

func (w *words) NumberUsers(_ context.Context, keys []dictionary.Key) (map[dictionary.Key]dictionary.Entry, error) {
	w.asked++
	found := map[dictionary.Key]dictionary.Entry{}
	for _, key := range keys {
		if _, known := w.users[key]; !known {
			w.users[key] = dictionary.Entry{N: int64(len(w.users) + 1)}
		}
		found[key] = w.users[key]
	}
	return found, nil
}

func (w *words) JoinUsers(_ context.Context, joins []dictionary.Join) (map[dictionary.Join]int64, error) {
	w.joined++
	persons := map[dictionary.Join]int64{}
	for _, j := range joins {
		for key, entry := range w.users {
			if entry.N != j.Anonymous {
				continue
			}
			if entry.Person == 0 {
				entry.Person = j.Person
				w.users[key] = entry
			}
			persons[j] = entry.Person
		}
	}
	return persons, nil
}

func (w *words) NumberNames(_ context.Context, names []dictionary.Name) (map[dictionary.Name]int16, error) {
	w.asked++
	found := map[dictionary.Name]int16{}
	for _, name := range names {
		if _, known := w.names[name.NameRef]; !known && len(w.names) < w.room {
			w.names[name.NameRef] = int16(16 + len(w.names))
		}
		if n, known := w.names[name.NameRef]; known {
			found[name] = n
		}
	}
	return found, nil
}

func usersOf(t *testing.T, c *dictionary.Cache, refs ...event.UserRef) (numbers []int64) {
	t.Helper()
	users, err := c.Users(t.Context(), 1, refs)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		numbers = append(numbers, u.N)
	}
	return numbers
}

// TestKnownUsersCostNoQuery looks the same users up again.
func TestKnownUsersCostNoQuery(t *testing.T) {
	t.Parallel()
	source := newWords()
	cache := dictionary.New(source, prometheus.NewRegistry())
	t.Cleanup(cache.Close)
	anna, both := event.UserRef{UserID: "anna"}, event.UserRef{UserID: "anna", AnonymousID: "v"}
	for range 3 {
		if diff := cmp.Diff([]int64{1, 0, 1, 1, 1}, usersOf(t, cache, anna, event.UserRef{}, both, event.UserRef{AnonymousID: "v"}, anna)); diff != "" {
			t.Errorf("users (-want +got):\n%s", diff)
		}
	}
	if source.asked != 1 || source.joined != 1 {
		t.Errorf("%d queries and %d joins, want one of each", source.asked, source.joined)
	}
}

// TestJoinsOfOtherReplicasAreNoticed joins a visitor elsewhere. This replica learns of it within AnonymousTTL.
func TestJoinsOfOtherReplicasAreNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newWords()
		cache, other := dictionary.New(source, prometheus.NewRegistry()), dictionary.New(source, prometheus.NewRegistry())
		defer cache.Close()
		defer other.Close()
		visitor := event.UserRef{AnonymousID: "v"}
		before := usersOf(t, cache, visitor)[0]
		anna := usersOf(t, other, event.UserRef{UserID: "anna", AnonymousID: "v"})[0]
		if anna == before {
			t.Fatalf("the visitor and anna are both %d", anna)
		}
		// A request with both ids does not wait for that, and the first person stays.
		if got := usersOf(t, other, event.UserRef{UserID: "ben", AnonymousID: "v"}, visitor); got[0] == anna || got[1] != anna {
			t.Errorf("ben and the visitor are %v, anna is %d", got, anna)
		}
		<-time.After(dictionary.AnonymousTTL + time.Second)
		if got := usersOf(t, cache, visitor)[0]; got != anna {
			t.Errorf("the visitor is still %d after %s, want %d", got, dictionary.AnonymousTTL+time.Second, anna)
		}
	})
}

// TestNamesBeyondTheLimitAreAskedForAgain looks up more names than there is room for, which may change.
func TestNamesBeyondTheLimitAreAskedForAgain(t *testing.T) {
	t.Parallel()
	source := newWords()
	cache := dictionary.New(source, prometheus.NewRegistry())
	t.Cleanup(cache.Close)
	look := func(want ...int16) {
		t.Helper()
		got, err := cache.Names(t.Context(), 1, "key:1", []string{"a", "b", "a", "", "c", "c", "b"})
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v; numbers (-want +got):\n%s", err, diff)
		}
	}
	look(16, 17, 16, 0, 0, 0, 17)
	source.room++
	look(16, 17, 16, 0, 18, 18, 17)
	look(16, 17, 16, 0, 18, 18, 17)
	if source.asked != 2 {
		t.Errorf("%d queries, want 2", source.asked)
	}
}
