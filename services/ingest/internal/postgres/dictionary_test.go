package postgres

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/dictionary"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
)

// TestUsersAreNumberedOnce numbers the same users from many goroutines, each in another order.
func TestUsersAreNumberedOnce(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	other := addProject(t, database)
	var keys []dictionary.Key
	for i := range 50 {
		id := fmt.Sprintf("größe %d", i)
		keys = append(keys, dictionary.Key{Project: 1, ID: id}, dictionary.Key{Project: 1, Anonymous: true, ID: id}, dictionary.Key{Project: other, ID: id})
	}
	found := make([]map[dictionary.Key]dictionary.Entry, 8)
	var numbering sync.WaitGroup
	for i := range found {
		order := slices.Concat(keys[i*10:], keys[:i*10], keys[:1])
		if i%2 == 1 {
			slices.Reverse(order)
		}
		numbering.Go(func() {
			var err error
			if found[i], err = s.NumberUsers(t.Context(), order); err != nil {
				t.Error(err)
			}
		})
	}
	numbering.Wait()
	numbers := map[int64]bool{}
	for _, key := range keys {
		n := found[0][key].N
		for i := range found {
			if found[i][key].N != n || n == 0 {
				t.Fatalf("%+v is %d and %d", key, n, found[i][key].N)
			}
		}
		numbers[n] = true
	}
	if len(numbers) != len(keys) {
		t.Errorf("%d numbers for %d users", len(numbers), len(keys))
	}
}

// TestNamesAreNumberedOnce does the same for names, of which a few have the same number in all projects.
func TestNamesAreNumberedOnce(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	other := addProject(t, database)
	var names []dictionary.Name
	for _, project := range []int16{1, other} {
		for _, name := range []string{"Signed Up", "view", "商品を見た", "add_to_cart", "$pageview", "a"} {
			names = append(names, dictionary.Name{NameRef: event.NameRef{Project: project, Name: name}, Sender: "key:1"})
		}
	}
	found := make([]map[dictionary.Name]int16, 4)
	var numbering sync.WaitGroup
	for i := range found {
		numbering.Go(func() {
			var err error
			if found[i], err = s.NumberNames(t.Context(), slices.Concat(names[i*3:], names[:i*3])); err != nil {
				t.Error(err)
			}
		})
	}
	numbering.Wait()
	for _, ref := range names {
		n := found[0][ref]
		fixed, hasCounter := stats.NameOf(ref.Name)
		if hasCounter && n != fixed || !hasCounter && n < stats.FirstName {
			t.Errorf("%+v has the number %d", ref, n)
		}
		for i := range found {
			if found[i][ref] != n {
				t.Errorf("%+v is %d and %d", ref, n, found[i][ref])
			}
		}
	}
	if n := count(t, database, `SELECT count(DISTINCT (project, n)) FROM ingest.names`); n != len(names) {
		t.Errorf("%d numbers for %d names", n, len(names))
	}
}

// TestAProjectHasSoManyNames fills a project up to one less than the limit, and numbers two new names and a known one.
func TestAProjectHasSoManyNames(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	execute(t, database, `INSERT INTO ingest.names (project, n, name) SELECT 1, n, 'name ' || n FROM generate_series($1::integer, $2::integer) AS n`,
		int(stats.FirstName), int(lastName)-1)
	names := namesOf("key:1", "name 16", "new a", "new b", "click")
	for range 2 {
		got, err := s.NumberNames(t.Context(), names)
		if err != nil {
			t.Fatal(err)
		}
		if got[names[0]] != 16 || got[names[1]] != lastName || got[names[2]] != event.ProjectFull || got[names[3]] != stats.Click || len(got) != 4 {
			t.Errorf("got %v", got)
		}
	}
	if n := count(t, database, `SELECT count(*) FROM ingest.names WHERE n >= 16`); n != event.MaxNames {
		t.Errorf("%d names", n)
	}
}

// namesOf returns names of the default project that one caller sends.
func namesOf(sender string, names ...string) []dictionary.Name {
	all := make([]dictionary.Name, len(names))
	for i, name := range names {
		all[i] = dictionary.Name{NameRef: event.NameRef{Project: 1, Name: name}, Sender: sender}
	}
	return all
}

// TestNoSenderUsesUpTheNamesOfAProject fills the share of a sender up to one less than it may add, and numbers new names of it and of others.
func TestNoSenderUsesUpTheNamesOfAProject(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	other := addProject(t, database)
	execute(t, database, `INSERT INTO ingest.names (project, n, name, sender) SELECT 1, n, 'name ' || n, 'key:1' FROM generate_series($1::integer, $2::integer) AS n`,
		int(stats.FirstName), int(stats.FirstName)+event.MaxNamesOfSender-2)
	next := stats.FirstName + event.MaxNamesOfSender - 1
	elsewhere := dictionary.Name{NameRef: event.NameRef{Project: other, Name: "new b"}, Sender: "key:1"}
	got, err := s.NumberNames(t.Context(), slices.Concat(namesOf("key:1", "name 17", "new a", "new b", "new c", "view"), namesOf("key:2", "new c", "new d"), []dictionary.Name{elsewhere}))
	if err != nil {
		t.Fatal(err)
	}
	want := map[dictionary.Name]int16{
		namesOf("key:1", "name 17")[0]: 17, namesOf("key:1", "new a")[0]: next, namesOf("key:1", "new b")[0]: event.SenderFull,
		namesOf("key:1", "new c")[0]: event.SenderFull, namesOf("key:1", "view")[0]: stats.View,
		namesOf("key:2", "new d")[0]: next + 1, namesOf("key:2", "new c")[0]: next + 2, elsewhere: stats.FirstName,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
	again, err := s.NumberNames(t.Context(), namesOf("key:1", "new c", "new b"))
	want = map[dictionary.Name]int16{namesOf("key:1", "new c")[0]: next + 2, namesOf("key:1", "new b")[0]: event.SenderFull} // somebody else has added the first one
	if diff := cmp.Diff(want, again); diff != "" || err != nil {
		t.Errorf("afterwards: %v (-want +got):\n%s", err, diff)
	}
}

// TestAnonymousIDsGetOnePerson joins an anonymous id to several users at once. All are told the same one, and later ones too.
func TestAnonymousIDsGetOnePerson(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	visitor := dictionary.Key{Project: 1, Anonymous: true, ID: "visitor 4"}
	entries, err := s.NumberUsers(t.Context(), []dictionary.Key{visitor})
	if err != nil {
		t.Fatal(err)
	}
	n := entries[visitor].N
	persons := make([]int64, 8)
	var joining sync.WaitGroup
	for i := range persons {
		join := dictionary.Join{Project: 1, Anonymous: n, Person: int64(i%4 + 1)}
		joining.Go(func() {
			got, err := s.JoinUsers(t.Context(), []dictionary.Join{join})
			if err != nil {
				t.Error(err)
			}
			persons[i] = got[join]
		})
	}
	joining.Wait()
	if slices.Max(persons) != slices.Min(persons) || persons[0] == 0 {
		t.Fatalf("persons %v", persons)
	}
	again, err := s.NumberUsers(t.Context(), []dictionary.Key{visitor})
	if err != nil || again[visitor] != (dictionary.Entry{N: n, Person: persons[0]}) {
		t.Errorf("the entry is %+v, %v", again[visitor], err)
	}
	if n := count(t, database, `SELECT count(*) FROM ingest.users WHERE joined_at IS NOT NULL`); n != 1 {
		t.Errorf("%d users are joined", n)
	}
}

// TestFactsOfVisitorsAreThoseOfTheirPerson looks users up as requests do.
func TestFactsOfVisitorsAreThoseOfTheirPerson(t *testing.T) {
	t.Parallel()
	s, database := newStore(t)
	cache := dictionary.New(s, prometheus.NewRegistry())
	t.Cleanup(cache.Close)
	users := func(project int16, refs ...event.UserRef) []event.User {
		t.Helper()
		got, err := cache.Users(t.Context(), project, refs)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	alone, known := event.UserRef{AnonymousID: "v"}, event.UserRef{UserID: "v"}
	before := users(1, alone, known)
	if before[0].N == before[1].N || before[0].Anonymous != before[0].N || before[1].Anonymous != 0 {
		t.Errorf("an anonymous id and the same user id: %+v", before)
	}
	anna, ben := event.UserRef{UserID: "anna", AnonymousID: "v"}, event.UserRef{UserID: "ben", AnonymousID: "v"}
	after := users(1, alone, anna, ben, event.UserRef{})
	if after[0].N != after[1].N || after[0].Anonymous != before[0].N || after[2].N == after[1].N || after[3] != (event.User{}) {
		t.Errorf("when it is known who the visitor is: %+v", after)
	}
	if later := users(1, alone, event.UserRef{UserID: "ben"}); later[0].N != after[1].N || later[1].N != after[2].N {
		t.Errorf("later: %+v", later)
	}
	if elsewhere := users(addProject(t, database), alone); elsewhere[0].N == before[0].N || elsewhere[0].N == after[1].N {
		t.Errorf("in another project: %+v", elsewhere)
	}
}
