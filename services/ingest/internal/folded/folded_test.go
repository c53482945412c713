package folded_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/folded"
)

const timeout = 5 * time.Second

// store knows what is folded. It notes what it is asked for.
type store struct {
	mu     sync.Mutex
	folded map[int64]bool
	away   error
	asked  [][]int64
}

func (s *store) Pending(_ context.Context, batches []int64) ([]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, batches)
	return slices.DeleteFunc(slices.Clone(batches), func(id int64) bool { return s.folded[id] }), s.away
}

func (s *store) fold(batches ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range batches {
		s.folded[id] = true
	}
}

func (s *store) queries() [][]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// bench is a watcher at work, in a bubble of synctest.
type bench struct {
	*folded.Watcher
	store   *store
	stop    func() // returns when the watcher has stopped
	metrics *prometheus.Registry
}

func run(t *testing.T, maxBatches int) *bench {
	t.Helper()
	b := &bench{store: &store{folded: map[int64]bool{}}, metrics: prometheus.NewRegistry()}
	b.Watcher = folded.New(b.store, folded.Options{Timeout: timeout, MaxBatches: maxBatches}, platformtest.Logger(t), b.metrics)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { b.Run(ctx) })
	b.stop = func() { cancel(); wg.Wait() }
	t.Cleanup(b.stop)
	return b
}

// result is how a wait has ended, and when.
type result struct {
	folded bool
	took   time.Duration
}

// wait begins to wait.
func (b *bench) wait(ctx context.Context, batches ...int64) <-chan result {
	ended, begin := make(chan result, 1), time.Now()
	go func() {
		ok := b.Wait(ctx, batches...)
		ended <- result{ok, time.Since(begin)}
	}()
	synctest.Wait()
	return ended
}

func (b *bench) value(t *testing.T, name, outcome string) float64 {
	t.Helper()
	families, err := b.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name && (outcome == "" || m.GetLabel()[0].GetValue() == outcome) {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func ids(n int) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = rand.Int64()
	}
	return all
}

func TestWaitEndsWithTheLastFold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, id := run(t, 10), ids(2)
		ended := b.wait(t.Context(), id[0], id[1], id[0])
		b.store.fold(id[0])
		<-time.After(time.Second) // of the bubble
		select {
		case r := <-ended:
			t.Fatalf("half of it is folded, the wait has ended with %v", r)
		default:
		}
		if n := b.value(t, "hpa_ingest_waiters", ""); n != 1 {
			t.Errorf("%v wait, want 1", n)
		}
		b.store.fold(id[1])
		if r := <-ended; !r.folded || r.took > time.Second+25*time.Millisecond {
			t.Errorf("got %v, want true after a second and a moment", r)
		}
		last := b.store.queries()
		if asked := last[len(last)-1]; !slices.Equal(asked, id[1:]) {
			t.Errorf("asked for %v, want only what is still pending: %v", asked, id[1:])
		}
		if !b.Wait(t.Context()) {
			t.Error("nothing to wait for takes time")
		}
		if n := b.value(t, "hpa_ingest_waits_total", "folded"); n != 2 {
			t.Errorf("%v waits are counted as folded, want 2", n)
		}
	})
}

func TestOneQueryForAllAndNoneForNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, id := run(t, 1000), rand.Int64()
		<-time.After(time.Hour)
		if n := len(b.store.queries()); n != 0 {
			t.Errorf("%d queries though nobody waits", n)
		}
		var all []<-chan result
		for range 100 {
			all = append(all, b.wait(t.Context(), id))
		}
		<-time.After(time.Second)
		if n := len(b.store.queries()); n < 30 || n > 60 {
			t.Errorf("%d queries in a second, want about 50", n)
		}
		for _, asked := range b.store.queries() {
			if !slices.Equal(asked, []int64{id}) {
				t.Fatalf("asked for %v, want the one batch once", asked)
			}
		}
		b.store.fold(id)
		for _, ended := range all {
			if r := <-ended; !r.folded {
				t.Fatal("not told that it is folded")
			}
		}
		before := len(b.store.queries())
		<-time.After(time.Hour)
		if n := len(b.store.queries()) - before; n != 0 {
			t.Errorf("%d queries though nobody waits any more", n)
		}
	})
}

func TestWaitsThatEndWithoutAFold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := run(t, 2)
		gone, leave := context.WithCancel(t.Context())
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		client, deadline := b.wait(gone, rand.Int64()), b.wait(short, rand.Int64())
		if r := <-b.wait(t.Context(), rand.Int64()); r.folded || r.took != 0 {
			t.Errorf("one more than may wait: %v, want false at once", r)
		}
		leave()
		if r := <-client; r.folded || r.took != 0 {
			t.Errorf("the client has gone: %v", r)
		}
		if r := <-deadline; r.folded || r.took != time.Second {
			t.Errorf("the request's time is up: %v", r)
		}
		if r := <-b.wait(t.Context(), ids(3)...); r.folded || r.took != 0 {
			t.Errorf("more batches than there are places: %v", r)
		}
		// The places of those who have left are free again.
		if r := <-b.wait(t.Context(), ids(2)...); r.folded || r.took != timeout {
			t.Errorf("never folded: %v, want false after %s", r, timeout)
		}
		stopped := b.wait(t.Context(), rand.Int64())
		b.stop()
		if r := <-stopped; r.folded || r.took != 0 {
			t.Errorf("the service stops: %v, want false at once", r)
		}
		if r := <-b.wait(t.Context(), rand.Int64()); r.folded || r.took != 0 {
			t.Errorf("after the stop: %v, want false at once", r)
		}
		for outcome, want := range map[string]float64{"gone": 1, "late": 2, "turned_away": 4, "folded": 0} {
			if n := b.value(t, "hpa_ingest_waits_total", outcome); n != want {
				t.Errorf("%s: counted %v, want %v", outcome, n, want)
			}
		}
	})
}

func TestPostgresAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, id := run(t, 2), rand.Int64()
		set := func(err error) {
			b.store.mu.Lock()
			defer b.store.mu.Unlock()
			b.store.away = err
		}
		set(errors.New("connection refused"))
		if r := <-b.wait(t.Context(), id); r.folded || r.took != timeout {
			t.Errorf("got %v, want false after %s", r, timeout)
		}
		if n := len(b.store.queries()); n > 25 {
			t.Errorf("%d queries in vain", n)
		}
		back := b.wait(t.Context(), id)
		set(nil)
		b.store.fold(id)
		if r := <-back; !r.folded {
			t.Error("not told of the fold after Postgres was back")
		}
	})
}
