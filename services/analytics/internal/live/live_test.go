package live

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

// written is a source with the batches that a test writes, which are committed at once.
type written struct {
	mu      sync.Mutex
	batches []Batch
	reads   int
	err     error
	holding time.Time // when a transaction began that is still open; zero for none
}

func (w *written) CommittedUntil(context.Context) (time.Time, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.holding.IsZero() {
		return w.holding, w.err
	}
	return time.Now(), w.err
}

// hold opens a transaction, or with false ends it.
func (w *written) hold(open bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holding = time.Time{}
	if open {
		w.holding = time.Now()
	}
}

// fail makes reads fail, or with nil succeed.
func (w *written) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

// readSoFar returns how often batches were read.
func (w *written) readSoFar() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reads
}

func (w *written) Batches(_ context.Context, projects []int16, after Position, until time.Time) (found []Batch, complete bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	for _, b := range w.batches {
		if b.Project == projects[0] && endOf(b).Compare(after) > 0 && b.Received.Before(until) {
			found = append(found, b)
		}
	}
	return found, true, w.err
}

// write adds a batch with n events.
func (w *written) write(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := Batch{Project: 1, ID: int64(len(w.batches) + 1), Received: time.Now(), Rows: n}
	for i := range n {
		id := uuid.UUID{15: byte(i), 14: byte(i >> 8)}
		b.Events = append(b.Events, Event{ID: id, TS: b.Received, Type: "view"})
	}
	w.batches = append(w.batches, b)
}

func inBubble(t *testing.T, test func(t *testing.T, h *Hub, w *written)) {
	synctest.Test(t, func(t *testing.T) {
		w := &written{}
		h := New(w, Limits{Viewers: 3, Project: 2}, platformtest.Discard(), prometheus.NewRegistry())
		ctx, stop := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer stop()
		go h.Run(ctx)
		test(t, h, w)
	})
}

func join(t *testing.T, h *Hub, after *Position) *Viewer {
	t.Helper()
	v, err := h.Join(t.Context(), 1, Filter{}, after)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// taken returns how many events a viewer gets until there are no more, and how many it has missed.
func taken(t *testing.T, v *Viewer) (events int, missed int64) {
	t.Helper()
	for {
		items, _, err := v.Take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(items) == 0 {
			return events, missed
		}
		for _, item := range items {
			switch item.Kind {
			case Stored:
				events++
			case Gap:
				missed += item.Count
			case Omitted: // the store of these tests omits nothing
			}
		}
	}
}

func TestASlowViewerMissesEventsAndIsTold(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, h *Hub, w *written) {
		slow, fast := join(t, h, nil), join(t, h, nil)
		defer slow.Leave()
		defer fast.Leave()
		taken(t, slow)
		const each, rounds = 2000, 5
		for range rounds {
			w.write(each)
			<-time.After(2 * pollInterval)
			if events, missed := taken(t, fast); events != each || missed != 0 {
				t.Errorf("the fast one got %d, missed %d", events, missed)
			}
		}
		if events, missed := taken(t, slow); events != ringItems || missed != each*rounds-ringItems {
			t.Errorf("the slow one got %d, missed %d", events, missed)
		}
		if n := len(h.feeds[1].items); n != ringItems {
			t.Errorf("the ring has %d items", n)
		}
	})
}

func TestAViewerComesBack(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, h *Hub, w *written) {
		v := join(t, h, nil)
		<-time.After(time.Second)
		taken(t, v)
		left := v.Position()
		v.Leave()
		w.write(300)
		<-time.After(time.Minute)
		w.write(20)
		<-time.After(memory / 2)
		v = join(t, h, &left)
		if events, missed := taken(t, v); events != 320 || missed != 0 {
			t.Errorf("after some minutes: %d events, %d missed", events, missed)
		}
		w.write(1)
		<-time.After(time.Second)
		if events, missed := taken(t, v); events != 1 || missed != 0 {
			t.Errorf("then: %d events, %d missed", events, missed)
		}
		v.Leave()
		<-time.After(memory)
		v = join(t, h, &left)
		defer v.Leave()
		if events, missed := taken(t, v); events != 0 || missed != -1 {
			t.Errorf("after too long: %d events, %d missed", events, missed)
		}
	})
}

func TestNobodyReadsForNobody(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, h *Hub, w *written) {
		v := join(t, h, nil)
		<-time.After(time.Second)
		v.Leave()
		<-time.After(time.Second)
		reads := w.readSoFar()
		<-time.After(time.Hour)
		if more := w.readSoFar() - reads; more != 0 {
			t.Errorf("%d reads without a viewer", more)
		}
	})
}

// TestLag checks the metric of how old the newest events of the streams are.
func TestLag(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, h *Hub, w *written) {
		lag := func(want time.Duration) {
			t.Helper()
			if got := testutil.ToFloat64(h.lag); got > want.Seconds() || got < (want-pollInterval).Seconds() {
				t.Errorf("the streams are behind by %g s, want %s", got, want)
			}
		}
		v := join(t, h, nil)
		<-time.After(time.Second)
		lag(0)
		w.hold(true)
		<-time.After(time.Minute)
		lag(time.Minute)
		w.hold(false)
		<-time.After(time.Second)
		lag(0)
		w.hold(true)
		<-time.After(time.Minute)
		v.Leave()
		<-time.After(time.Second)
		lag(0)
	})
}

func TestViewersLeaveWhenNothingCanBeRead(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, h *Hub, w *written) {
		v := join(t, h, nil)
		taken(t, v)
		w.fail(errors.New("the database is away"))
		<-time.After(time.Second)
		if _, _, err := v.Take(t.Context()); !errors.Is(err, errUnavailable) {
			t.Errorf("Take returns %v", err)
		}
		v.Leave()
		if _, err := h.Join(t.Context(), 1, Filter{}, nil); !errors.Is(err, errUnavailable) {
			t.Errorf("Join returns %v", err)
		}
		w.fail(nil)
		v = join(t, h, nil)
		defer v.Leave()
		w.write(2)
		<-time.After(time.Second)
		if events, _ := taken(t, v); events != 2 {
			t.Errorf("%d events", events)
		}
	})
}
