package visitor

import (
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
)

func TestMain(m *testing.M) { platformtest.Main(m, redistest.Stop) }

// process returns the maker of ids of a process, with its clock at now.
func process(client *redis.Client, now *time.Time) *Days {
	d := New(client, platformtest.Discard())
	d.now = func() time.Time { return *now }
	return d
}

// A Redis that loses the salt gets it back from the processes that have it, so that one that starts later makes the same ids.
func TestASaltThatRedisLosesComesBack(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t, redistest.New(t))
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	id := func(d *Days) string { return d.ID(t.Context(), "key", "198.51.100.7", "Firefox") }
	first := process(client, &now)
	want := id(first)
	if got := id(process(client, &now)); got != want {
		t.Errorf("another process makes %s, want %s", got, want)
	}
	if err := client.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	now = now.Add(offered)
	if got := id(first); got != want {
		t.Errorf("the process makes %s later, want %s", got, want)
	}
	if got := id(process(client, &now)); got != want {
		t.Errorf("a process that starts later makes %s, want %s", got, want)
	}
	now = now.Add(24 * time.Hour)
	if got := id(first); got == want {
		t.Error("a visitor has the same id on the next day")
	}
}

// While a caller waits for Redis, others use the salt that they have.
func TestNobodyWaitsForAnotherCaller(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	d := process(redistest.Client(t, redistest.New(t)), &now)
	want := d.ID(t.Context(), "key", "198.51.100.7", "Firefox")
	d.asking.Lock()
	defer d.asking.Unlock()
	now = now.Add(offered)
	got := make(chan string, 1)
	go func() { got <- d.ID(t.Context(), "key", "198.51.100.7", "Firefox") }()
	select {
	case id := <-got:
		if id != want {
			t.Errorf("the id is %s, want %s", id, want)
		}
	case <-time.After(time.Minute):
		t.Error("a caller waits")
	}
}
