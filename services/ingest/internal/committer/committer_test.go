package committer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// fakeStore stores by user id, so that tests can name what they send.
type fakeStore struct {
	duration time.Duration   // of a transaction
	bad      map[string]bool // users whose rows fail a transaction
	blocked  map[string]bool // users whose events are obstacles
	locked   map[string]bool // users whose rows another transaction holds
	waited   time.Duration   // for locked rows

	mu       sync.Mutex
	known    map[string]bool
	batches  int64 // stored
	flushes  [][]string
	failures []error // of the next flushes; nil for one that goes on
	woken    int
}

func newFakeStore() *fakeStore {
	return &fakeStore{duration: time.Second, bad: map[string]bool{}, blocked: map[string]bool{}, known: map[string]bool{}}
}

var errUnavailable = errs.New(errs.Unavailable, "database_unavailable", "Later.")

// rowError is the error of a flush with the row of a bad user.
type rowError struct{ user string }

func (e rowError) Error() string        { return "bad row of " + e.user }
func (e rowError) Is(target error) bool { return target == ErrContent }

func (s *fakeStore) transaction(ctx context.Context, users []string) ([]event.Status, error) {
	s.mu.Lock()
	s.flushes = append(s.flushes, users)
	s.mu.Unlock()
	select {
	case <-time.After(s.duration):
	case <-ctx.Done():
		return nil, errUnavailable.Because(ctx.Err())
	}
	if slices.ContainsFunc(users, func(user string) bool { return s.locked[user] }) {
		wait, short := LockWait(ctx)
		if !short {
			wait = time.Second
		}
		s.mu.Lock()
		s.waited += wait
		s.mu.Unlock()
		time.Sleep(wait) //nolint:forbidigo // synctest's clock
		return nil, ErrLocked
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.failures) > 0 {
		err := s.failures[0]
		s.failures = s.failures[1:]
		if err != nil {
			return nil, err
		}
	}
	for _, user := range users {
		if s.bad[user] {
			return nil, rowError{user}
		}
	}
	stored := make([]event.Status, len(users))
	for i, user := range users {
		if stored[i] = event.Accepted; s.known[user] {
			stored[i] = event.Duplicate
		}
		s.known[user] = true
	}
	s.batches++
	return stored, nil
}

func (s *fakeStore) StoreEvents(ctx context.Context, events []event.Event) (Stored, error) {
	var users []string
	batches := map[int16]int64{}
	for _, e := range events {
		users = append(users, e.UserID)
		batches[e.Project] = 0
	}
	obstacles := event.BlockedError{}
	for i, user := range users {
		if s.blocked[user] {
			obstacles[i] = event.ErrProductChanged
		}
	}
	stored, err := s.transaction(ctx, users)
	if err == nil && len(obstacles) > 0 {
		return Stored{}, obstacles
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for project := range batches {
		batches[project] = 100*s.batches + int64(project)
	}
	return Stored{Batches: batches, Statuses: stored}, err
}

func (s *fakeStore) StoreOrders(ctx context.Context, orders []order.Order) ([]order.Outcome, error) {
	var users []string
	for i := range orders {
		users = append(users, orders[i].UserID)
	}
	stored, err := s.transaction(ctx, users)
	if err != nil {
		return nil, err
	}
	outcomes := make([]order.Outcome, len(orders))
	for i := range orders {
		outcomes[i] = order.Outcome{Order: orders[i], Replayed: stored[i] == event.Duplicate}
		if orders[i].UserID == "taken" {
			outcomes[i] = order.Outcome{Err: errTaken}
		}
	}
	return outcomes, nil
}

func (s *fakeStore) StoreRefunds(ctx context.Context, refunds []order.Refund) ([]order.RefundOutcome, error) {
	_, err := s.transaction(ctx, make([]string, len(refunds)))
	return make([]order.RefundOutcome, len(refunds)), err
}

// errTaken is the outcome of an order whose id another one has.
var errTaken = errors.New("the id is taken")

func (s *fakeStore) Wake(context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.woken++
}

// bench is a running committer in a bubble of synctest.
type bench struct {
	t     *testing.T
	store *fakeStore
	*Committer
	stop func() // asks the committer to stop, and waits until it has
}

func inBubble(t *testing.T, maxWaiting int, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		c := New(store, store, Options{Writers: 1, MaxWaiting: maxWaiting}, prometheus.NewRegistry())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.Run(ctx)
		}()
		b := &bench{t: t, store: store, Committer: c, stop: func() {
			cancel()
			<-done
		}}
		test(t, b)
		b.stop()
	})
}

// outcome is what came of a request.
type outcome struct {
	batch  int64
	stored []event.Status
	err    error
}

// send sends a request with an event of each user, and returns where its outcome will be.
func (b *bench) send(ctx context.Context, users ...string) <-chan outcome {
	events := make([]event.Event, len(users))
	for i, user := range users {
		events[i].UserID, events[i].Project = user, 1
	}
	result := make(chan outcome, 1)
	go func() {
		batch, stored, err := b.CommitEvents(ctx, events)
		result <- outcome{batch, stored, err}
	}()
	synctest.Wait() // it is in the committer's hands
	return result
}

func TestRequestsShareAFlush(t *testing.T) {
	t.Parallel()
	inBubble(t, 100, func(t *testing.T, b *bench) {
		begin := time.Now()
		alone := b.send(t.Context(), "a")
		with := []<-chan outcome{b.send(t.Context(), "b", "c"), b.send(t.Context(), "a", "d"), b.send(t.Context(), "d")}
		if got := <-alone; got.err != nil || !slices.Equal(got.stored, []event.Status{event.Accepted}) || time.Since(begin) != time.Second {
			t.Errorf("the first one, which found nobody waiting: %+v after %s", got, time.Since(begin))
		}
		var batches []int64
		for i, want := range [][]event.Status{{event.Accepted, event.Accepted}, {event.Duplicate, event.Accepted}, {event.Duplicate}} {
			got := <-with[i]
			if got.err != nil || !slices.Equal(got.stored, want) {
				t.Errorf("request %d: %+v, want %v", i, got, want)
			}
			batches = append(batches, got.batch)
		}
		if len(slices.Compact(batches)) != 1 || batches[0] != 201 {
			t.Errorf("the requests of one flush have the batches %v", batches)
		}
		if took := time.Since(begin); took != 2*time.Second+maxGather { // the second one waits for more of the first client
			t.Errorf("two flushes took %s", took)
		}
		if diff := cmp.Diff([][]string{{"a"}, {"b", "c", "a", "d", "d"}}, b.store.flushes); diff != "" {
			t.Errorf("flushes (-want +got):\n%s", diff)
		}
		b.stop()
		if b.store.woken != 2 {
			t.Errorf("woken %d times, want once for each flush", b.store.woken)
		}
	})
}

// TestClientsGatherForAFlush has clients that send their next request soon after one is answered. They share flushes, where they would
// otherwise take turns: one in a flush, and all others in the next.
func TestClientsGatherForAFlush(t *testing.T) {
	t.Parallel()
	inBubble(t, 100, func(t *testing.T, b *bench) {
		const clients, rounds = 8, 20
		b.store.duration = 4 * time.Millisecond
		var sent sync.WaitGroup
		var requests atomic.Int32
		for i := range clients {
			sent.Go(func() {
				for requests.Add(1) <= clients*rounds {
					<-time.After(time.Duration(1+i) * 100 * time.Microsecond)
					user := event.Fact{Project: 1, UserID: fmt.Sprint("user ", i)}
					if _, _, err := b.CommitEvents(t.Context(), []event.Event{{Fact: user}}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		sent.Wait()
		if n := len(b.store.flushes); n > rounds+rounds/2 {
			t.Errorf("%d flushes for %d rounds of %d clients: %v", n, rounds, clients, b.store.flushes)
		}
	})
}

// TestAFlushWaitsForAMomentOnly checks how long a request waits for others that do not come: no longer than the flush before took, no
// longer than maxGather, and not at all if nothing was written lately.
func TestAFlushWaitsForAMomentOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ flush, idle, wait time.Duration }{
		{time.Second, 0, maxGather},
		{maxGather / 4, 0, maxGather / 4},
		{time.Second, maxGather, 0},
	} {
		inBubble(t, 100, func(t *testing.T, b *bench) {
			b.store.duration = c.flush
			busy := b.send(t.Context(), "a")
			several := []<-chan outcome{b.send(t.Context(), "b"), b.send(t.Context(), "c"), b.send(t.Context(), "d")}
			<-busy
			for _, result := range several {
				<-result
			}
			<-time.After(c.idle)
			begin := time.Now()
			<-b.send(t.Context(), "e")
			if took := time.Since(begin); took != c.wait+c.flush {
				t.Errorf("after a flush of %s and a pause of %s, a request took %s, want %s", c.flush, c.idle, took, c.wait+c.flush)
			}
		})
	}
}

// TestProjectsShareAFlush sends requests of two projects while the writer is busy. Each is told the batch of its project.
func TestProjectsShareAFlush(t *testing.T) {
	t.Parallel()
	inBubble(t, 100, func(t *testing.T, b *bench) {
		busy := b.send(t.Context(), "a")
		batches := make([]int64, 4)
		var sent sync.WaitGroup
		for i := range batches {
			sent.Go(func() {
				user := event.Fact{Project: int16(1 + i%2), UserID: fmt.Sprint("user ", i)}
				batches[i], _, _ = b.CommitEvents(t.Context(), []event.Event{{Fact: user}})
			})
		}
		<-busy
		sent.Wait()
		if diff := cmp.Diff([]int64{201, 202, 201, 202}, batches); diff != "" || len(b.store.flushes) != 2 {
			t.Errorf("%d flushes; batches (-want +got):\n%s", len(b.store.flushes), diff)
		}
	})
}

func TestNothingNewWakesNobody(t *testing.T) {
	t.Parallel()
	inBubble(t, 100, func(t *testing.T, b *bench) {
		<-b.send(t.Context(), "a")
		<-b.send(t.Context(), "a")
		b.stop()
		if b.store.woken != 1 {
			t.Errorf("woken %d times, want once", b.store.woken)
		}
	})
}

func TestAnOutageFailsTheRequestsOfItsFlush(t *testing.T) {
	t.Parallel()
	inBubble(t, 100, func(t *testing.T, b *bench) {
		b.store.failures = []error{errUnavailable, errUnavailable}
		first := b.send(t.Context(), "a")
		second := []<-chan outcome{b.send(t.Context(), "b"), b.send(t.Context(), "c")}
		if got := <-first; !errors.Is(got.err, errUnavailable) {
			t.Errorf("first: %+v", got)
		}
		<-time.After(2 * maxGather) // the second flush began without the third request
		third := b.send(t.Context(), "d")
		for _, result := range second {
			if got := <-result; !errors.Is(got.err, errUnavailable) {
				t.Errorf("second: %+v", got)
			}
		}
		if got := <-third; got.err != nil || !slices.Equal(got.stored, []event.Status{event.Accepted}) {
			t.Errorf("third: %+v", got)
		}
		if len(b.store.flushes) != 3 {
			t.Errorf("an outage led to %d flushes: %v", len(b.store.flushes), b.store.flushes)
		}
	})
}

func TestTheQueueIsBounded(t *testing.T) {
	t.Parallel()
	inBubble(t, 3, func(t *testing.T, b *bench) {
		first := b.send(t.Context(), "a") // with the writer: waits no more
		fits := b.send(t.Context(), "b", "c")
		if got := <-b.send(t.Context(), "d", "e"); !errs.Is(got.err, errs.Unavailable) {
			t.Errorf("over the bound: %+v", got)
		}
		small := b.send(t.Context(), "f")
		for _, result := range []<-chan outcome{first, fits, small} {
			if got := <-result; got.err != nil {
				t.Errorf("within the bound: %+v", got)
			}
		}
		if got := <-b.send(t.Context(), "1", "2", "3", "4"); got.err != nil {
			t.Errorf("one request larger than the bound, alone: %+v", got)
		}
	})
}

// One project that sends more than is written leaves room for another one.
func TestTheQueueIsShared(t *testing.T) {
	t.Parallel()
	g := newGroup(100, maxFlush, func(context.Context, []*member[eventsRequest]) {})
	join := func(project int16, rows int) bool {
		return g.join(&member[eventsRequest]{project: project, rows: rows}) == nil
	}
	held := map[int16]int{}
	for _, project := range []int16{1, 2} {
		for join(project, 1) {
			held[project]++
		}
	}
	if held[1] != 75 || held[2] != 19 {
		t.Errorf("rows of two projects in a queue of 100: %v", held)
	}
	if join(3, 10) || !join(3, 5) {
		t.Error("a third project gets not what is left")
	}
	for len(g.take()) > 0 {
	}
	if len(g.shares) > 0 || g.rows != 0 {
		t.Errorf("an empty queue has %v, %d rows", g.shares, g.rows)
	}
}

func TestRequestsThatAreGivenUp(t *testing.T) {
	t.Parallel()
	inBubble(t, 100, func(t *testing.T, b *bench) {
		taken, cancelTaken := context.WithCancel(t.Context())
		waiting, cancelWaiting := context.WithCancel(t.Context())
		first, second, third := b.send(taken, "a"), b.send(waiting, "b"), b.send(t.Context(), "c")
		cancelTaken()
		cancelWaiting()
		if got := <-second; !errs.Is(got.err, errs.Unavailable) {
			t.Errorf("given up while waiting: %+v", got)
		}
		if got := <-first; got.err != nil {
			t.Errorf("given up while it was written: %+v; its outcome is known", got)
		}
		<-third
		if diff := cmp.Diff([][]string{{"a"}, {"c"}}, b.store.flushes); diff != "" {
			t.Errorf("flushes (-want +got):\n%s", diff)
		}
	})
}

func TestStopWritesWhatIsWaiting(t *testing.T) {
	t.Parallel()
	inBubble(t, 100, func(t *testing.T, b *bench) {
		results := []<-chan outcome{b.send(t.Context(), "a"), b.send(t.Context(), "b")}
		b.stop()
		for _, result := range results {
			if got := <-result; got.err != nil {
				t.Errorf("handed in before the stop: %+v", got)
			}
		}
		if got := <-b.send(t.Context(), "c"); !errs.Is(got.err, errs.Unavailable) {
			t.Errorf("handed in after the stop: %+v", got)
		}
	})
}

// TestAFlushIsBounded checks that a backlog is written in flushes of bounded size, one after the other.
func TestAFlushIsBounded(t *testing.T) {
	t.Parallel()
	inBubble(t, 10*maxFlush, func(t *testing.T, b *bench) {
		users := make([]string, event.MaxBatch)
		first := b.send(t.Context(), "a")
		var waiting []<-chan outcome
		for range 9 {
			waiting = append(waiting, b.send(t.Context(), users...))
		}
		<-first
		for _, result := range waiting {
			if got := <-result; got.err != nil {
				t.Error(got.err)
			}
		}
		var sizes []int
		for _, flush := range b.store.flushes {
			sizes = append(sizes, len(flush))
		}
		if diff := cmp.Diff([]int{1, maxFlush, maxFlush, event.MaxBatch}, sizes); diff != "" {
			t.Errorf("flushes (-want +got):\n%s", diff)
		}
	})
}

// TestABacklogGetsASecondWriter checks that a second transaction begins beside the one in flight as soon as enough rows
// wait, and not before.
func TestABacklogGetsASecondWriter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		c := New(store, store, Options{Writers: 2, MaxWaiting: 10_000}, prometheus.NewRegistry())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.Run(ctx)
		}()
		b := &bench{t: t, Committer: c}
		begin := time.Now()
		first := b.send(t.Context(), "a")
		few := b.send(t.Context(), make([]string, backlog-1)...)
		<-time.After(500 * time.Millisecond)
		last := b.send(t.Context(), "b") // completes the backlog
		<-first
		if took := time.Since(begin); took != time.Second {
			t.Errorf("the first flush took %s", took)
		}
		<-few
		<-last
		if took := time.Since(begin); took != 1500*time.Millisecond {
			t.Errorf("the backlog was written after %s, want as soon as it was complete", took)
		}
		if len(store.flushes) != 2 {
			t.Errorf("%d flushes", len(store.flushes))
		}
		cancel()
		<-done
	})
}

func (b *bench) buy(user, key string) <-chan error {
	o := order.Order{UserID: user, Lines: make([]order.Line, 1)}
	if key != "" {
		o.Idempotency = &order.IdempotencyKey{Key: key}
	}
	result := make(chan error, 1)
	go func() {
		outcomes, err := b.CommitOrders(b.t.Context(), []order.Order{o})
		if err == nil {
			err = outcomes[0].Err
		}
		if err == nil && (outcomes[0].Order.UserID != user || outcomes[0].Replayed != (user == "known")) {
			err = errors.New("answered with another order")
		}
		result <- err
	}()
	synctest.Wait()
	return result
}

func TestOrdersShareAFlush(t *testing.T) {
	t.Parallel()
	inBubble(t, 100, func(t *testing.T, b *bench) {
		b.store.known["known"] = true
		first := b.buy("a", "1")
		results := []<-chan error{b.buy("b", ""), b.buy("known", "2"), b.buy("c", "3")}
		refused := b.buy("taken", "")
		if err := <-b.buy("d", "3"); !errors.Is(err, order.ErrKeyInFlight) {
			t.Errorf("a key in flight: %v", err)
		}
		for i, result := range append(results, first) {
			if err := <-result; err != nil {
				t.Errorf("order %d: %v", i, err)
			}
		}
		if err := <-refused; !errors.Is(err, errTaken) {
			t.Errorf("the id of another order: %v", err)
		}
		if diff := cmp.Diff([][]string{{"a"}, {"b", "known", "c", "taken"}}, b.store.flushes); diff != "" {
			t.Errorf("flushes (-want +got):\n%s", diff)
		}
		if err := <-b.buy("e", "3"); err != nil {
			t.Errorf("the key is no longer in flight: %v", err)
		}
	})
}

func TestReplayedOrdersWakeNobody(t *testing.T) {
	t.Parallel()
	inBubble(t, 100, func(t *testing.T, b *bench) {
		b.store.known["known"] = true
		<-b.buy("known", "")
		<-b.buy("taken", "")
		b.stop()
		if b.store.woken != 0 {
			t.Errorf("woken %d times", b.store.woken)
		}
	})
}
