package admission_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hp-analytics/hp-analytics/internal/platform/admission"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
)

func TestMain(m *testing.M) { platformtest.Main(m) }

const (
	queueTime  = 10 * time.Millisecond
	queueBurst = 100 * time.Millisecond
)

var alice, bob = admission.Key{Project: 1}, admission.Key{Project: 2}

func newLimiter(concurrent, queued int) (*admission.Limiter, *prometheus.Registry) {
	registry := prometheus.NewRegistry()
	return admission.New(admission.Config{
		MaxConcurrent: concurrent, MaxQueued: queued, QueueTime: queueTime, QueueBurst: queueBurst,
	}, platformtest.Discard(), registry), registry
}

// enter takes a slot that must be free.
func enter(t *testing.T, l *admission.Limiter, key admission.Key) *admission.Slot {
	t.Helper()
	slot, err := l.Enter(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return slot
}

// outcome is what became of a request, and when.
type outcome struct {
	slot  *admission.Slot
	err   error
	after time.Duration
}

// ask asks for a slot, and returns when the request has it, waits, or is refused.
func ask(t *testing.T, l *admission.Limiter, key admission.Key) <-chan outcome {
	t.Helper()
	ctx, answer, began := t.Context(), make(chan outcome, 1), time.Now()
	go func() {
		slot, err := l.Enter(ctx, key)
		answer <- outcome{slot, err, time.Since(began)}
	}()
	synctest.Wait()
	return answer
}

func waits(answer <-chan outcome) bool { return len(answer) == 0 }

func wantRefusal(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, admission.ErrRefused) || !errs.Is(err, errs.Unavailable) || errs.CodeOf(err) != "overloaded" {
		t.Errorf("got %v, want a refusal", err)
	}
}

// One caller that takes what it gets leaves something to the next one, and what two leave is enough for a third.
func TestOneCallerLeavesSlotsToOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLimiter(64, 1000)
		held := map[admission.Key]int{}
		for _, key := range []admission.Key{alice, bob, {Name: "192.0.2.1"}} {
			for {
				answer := ask(t, l, key)
				if waits(answer) {
					break // it is refused later
				}
				held[key]++
			}
		}
		if diff := cmp.Diff(map[admission.Key]int{alice: 48, bob: 12, {Name: "192.0.2.1"}: 3}, held); diff != "" {
			t.Errorf("slots (-want +got):\n%s", diff)
		}
		time.Sleep(queueBurst) //nolint:forbidigo // synctest
	})
}

// The queue takes callers in turn, whatever the length of their queues is, and those of one caller in order.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLimiter(1, 100)
		slot := enter(t, l, alice)
		var first []<-chan outcome
		for range 3 {
			first = append(first, ask(t, l, alice))
		}
		late := ask(t, l, bob)
		var order []string
		for range 4 {
			slot.Release()
			slot.Release() // counts once
			synctest.Wait()
			for i, answer := range first {
				if len(answer) == 1 {
					slot, order = (<-answer).slot, append(order, "alice "+strconv.Itoa(i))
				}
			}
			if len(late) == 1 {
				slot, order = (<-late).slot, append(order, "bob")
			}
		}
		if diff := cmp.Diff([]string{"alice 0", "bob", "alice 1", "alice 2"}, order); diff != "" {
			t.Errorf("turns (-want +got):\n%s", diff)
		}
	})
}

// A burst may wait for longer than the queue of an overload.
func TestQueueTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, registry := newLimiter(1, 100)
		slot := enter(t, l, alice)
		burst := ask(t, l, alice)
		time.Sleep(queueBurst - time.Millisecond) //nolint:forbidigo // synctest
		kept := ask(t, l, alice)
		if !waits(burst) {
			t.Fatal("a request in a burst is refused early")
		}
		time.Sleep(time.Millisecond) //nolint:forbidigo // synctest
		if got := <-burst; got.after != queueBurst {
			t.Errorf("a request in a burst waited %s", got.after)
		} else {
			wantRefusal(t, got.err)
		}
		overload := ask(t, l, alice) // the queue has not been empty since
		time.Sleep(queueTime)        //nolint:forbidigo // synctest
		if got := <-overload; got.after != queueTime {
			t.Errorf("a request in an overload waited %s", got.after)
		} else {
			wantRefusal(t, got.err)
		}
		slot.Release()
		got := <-kept
		if got.err != nil {
			t.Fatal(got.err)
		}
		again := ask(t, l, alice) // the queue was empty, so this is a new burst
		time.Sleep(5 * queueTime) //nolint:forbidigo // synctest
		if !waits(again) {
			t.Error("a burst after an overload may not wait")
		}
		got.slot.Release()
		(<-again).slot.Release()
		const want = `
			# HELP hpa_http_refused_total Requests refused with 503 because the service works on as many as it can, by reason: the queue was full, or the wait too long.
			# TYPE hpa_http_refused_total counter
			hpa_http_refused_total{reason="full"} 0
			hpa_http_refused_total{reason="wait"} 2
			# HELP hpa_http_slots_in_use Requests that the service works on. The operational endpoints and answers from memory are not among them.
			# TYPE hpa_http_slots_in_use gauge
			hpa_http_slots_in_use 0
			# HELP hpa_http_slots_waiting Requests that wait until the service works on them.
			# TYPE hpa_http_slots_waiting gauge
			hpa_http_slots_waiting 0
		`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "hpa_http_refused_total", "hpa_http_slots_in_use", "hpa_http_slots_waiting"); err != nil {
			t.Error(err)
		}
	})
}

// A caller that fills the queue keeps nobody else out of it.
func TestQueueIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLimiter(1, 10)
		slot := enter(t, l, alice)
		var queued []<-chan outcome
		for range 10 {
			queued = append(queued, ask(t, l, alice))
		}
		full := ask(t, l, alice)
		if waits(full) {
			t.Fatal("the queue has no bound")
		}
		wantRefusal(t, (<-full).err)
		for range 5 {
			answer := ask(t, l, bob)
			if !waits(answer) {
				t.Fatal("bob is refused because alice fills the queue")
			}
			queued = append(queued, answer)
		}
		if more := ask(t, l, bob); waits(more) {
			t.Error("bob gets more than half of the queue")
		}
		slot.Release()
		for range queued { // each gets the slot of the one before
			synctest.Wait()
			for _, answer := range queued {
				if len(answer) == 1 {
					got := <-answer
					if got.err != nil {
						t.Fatal(got.err)
					}
					got.slot.Release()
				}
			}
		}
		enter(t, l, bob).Release()
	})
}

// However many callers there are, the queue has a bound.
func TestQueueOfManyCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLimiter(1, 10)
		slot := enter(t, l, alice)
		for i := range 20 {
			if answer := ask(t, l, admission.Key{Name: strconv.Itoa(i)}); !waits(answer) {
				t.Fatalf("request %d is refused", i)
			}
		}
		if more := ask(t, l, bob); waits(more) {
			t.Error("more than twice the queue wait")
		} else {
			wantRefusal(t, (<-more).err)
		}
		time.Sleep(queueBurst) //nolint:forbidigo // synctest
		synctest.Wait()        // all of them are refused
		slot.Release()
		enter(t, l, bob).Release()
	})
}

// A request whose client is gone leaves the queue.
func TestCanceled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLimiter(1, 10)
		slot := enter(t, l, alice)
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := l.Enter(ctx, bob)
			failed <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) || errors.Is(err, admission.ErrRefused) {
			t.Errorf("got %v", err)
		}
		slot.Release()
		enter(t, l, alice).Release()
	})
}

// Refused requests are asked to come back at different times.
func TestRetriesAreSpread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLimiter(1, 1)
		defer enter(t, l, alice).Release()
		seen := map[time.Duration]bool{}
		for range 100 {
			_, err := l.Enter(t.Context(), alice)
			refused, ok := errors.AsType[*errs.Error](err)
			if !ok || refused.RetryAfter < time.Second || refused.RetryAfter > 4*time.Second {
				t.Fatalf("got %v", err)
			}
			seen[refused.RetryAfter.Truncate(time.Second)] = true
		}
		if len(seen) < 3 {
			t.Errorf("clients come back after %v", seen)
		}
	})
}

func TestNoLimit(t *testing.T) {
	t.Parallel()
	l := admission.New(admission.Config{MaxConcurrent: -1}, platformtest.Discard(), prometheus.NewRegistry())
	for range 1000 {
		slot := enter(t, l, alice)
		admission.Release(admission.With(t.Context(), slot))
	}
}

// Refuse says what Enter would do at once, and takes nothing.
func TestRefuse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, registry := newLimiter(1, 1)
		if l.Queueing() || l.Refuse(t.Context(), alice) {
			t.Error("a request is refused while a slot is free")
		}
		slot := enter(t, l, alice)
		if l.Queueing() || l.Refuse(t.Context(), alice) {
			t.Error("a request is refused while the queue is empty")
		}
		first := ask(t, l, alice)
		if !l.Queueing() || !l.Refuse(t.Context(), alice) {
			t.Error("a request is not refused, although the queue is full")
		}
		if l.Refuse(t.Context(), bob) {
			t.Error("a request of another caller is refused, although there is room for one")
		}
		slot.Release()
		(<-first).slot.Release()
		if l.Queueing() || l.Refuse(t.Context(), alice) {
			t.Error("a request is refused after the queue was emptied")
		}
		const want = `
			# HELP hpa_http_refused_total Requests refused with 503 because the service works on as many as it can, by reason: the queue was full, or the wait too long.
			# TYPE hpa_http_refused_total counter
			hpa_http_refused_total{reason="full"} 1
			hpa_http_refused_total{reason="wait"} 0
		`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "hpa_http_refused_total"); err != nil {
			t.Error(err)
		}
		if none := admission.New(admission.Config{MaxConcurrent: -1}, platformtest.Discard(), registry); none.Queueing() || none.Refuse(t.Context(), alice) {
			t.Error("a service without a limit refuses a request")
		}
	})
}

// In an overload, no more requests wait than lately got a slot within the time that one may wait. The others are refused at once.
func TestQueueOfAnOverload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const queued, kept, granted, least = 100, 2, 44, 8
		l, _ := newLimiter(1, queued)
		slot := enter(t, l, alice)
		fill := func() (answers []<-chan outcome) {
			for {
				answer := ask(t, l, alice)
				if !waits(answer) {
					wantRefusal(t, (<-answer).err)
					return answers
				}
				answers = append(answers, answer)
			}
		}
		burst := fill()
		if len(burst) != queued {
			t.Errorf("%d requests wait in a burst, want %d", len(burst), queued)
		}
		time.Sleep(queueBurst - time.Millisecond) //nolint:forbidigo // synctest
		for _, answer := range burst[:granted] {
			slot.Release()
			slot = (<-answer).slot
		}
		for range kept { // until long after the others, so that the queue is never empty
			ask(t, l, alice)
		}
		time.Sleep(queueTime + time.Millisecond) //nolint:forbidigo // synctest
		if more := len(fill()); kept+more != granted*10/11 {
			t.Errorf("%d requests wait in an overload, want %d: %d got a slot in 11 ms, and one may wait for 10 ms", kept+more, granted*10/11, granted)
		}
		time.Sleep(queueTime) //nolint:forbidigo // synctest
		synctest.Wait()       // until those that have waited for as long are refused
		if more := len(fill()); kept+more != least {
			t.Errorf("%d requests wait after a time in which none got a slot, want %d", kept+more, least)
		}
		time.Sleep(queueBurst) //nolint:forbidigo // synctest
		slot.Release()
	})
}
