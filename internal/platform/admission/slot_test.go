package admission_test

import (
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/admission"
)

// A connection whose body does not arrive holds no slot. When the body arrives, it waits for one.
func TestSlowBodiesHoldNoSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLimiter(1, 10)
		slot := enter(t, l, alice)
		reader, writer := io.Pipe()
		body := slot.Body(t.Context(), reader)
		read := make(chan string, 1)
		go func() {
			all, _ := io.ReadAll(body)
			read <- string(all)
		}()
		if _, err := writer.Write([]byte("half ")); err != nil {
			t.Fatal(err)
		}
		if other := ask(t, l, bob); !waits(other) {
			t.Fatal("a slot is given back while the body arrives")
		} else {
			got := <-other // once the client has sent nothing for some milliseconds
			if got.err != nil {
				t.Fatal(got.err)
			}
			_, _ = writer.Write([]byte("full"))
			writer.Close()
			synctest.Wait()
			if len(read) == 1 {
				t.Error("a body goes on without a slot")
			}
			got.slot.Release()
		}
		if got := <-read; got != "half full" {
			t.Errorf("read %q", got)
		}
		if other := ask(t, l, bob); !waits(other) {
			t.Error("the slot is not held after the body")
		} else {
			slot.Release()
			(<-other).slot.Release()
		}
	})
}

// A body that gets no slot for its end fails with the refusal, again and again.
func TestBodyIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLimiter(1, 10)
		slot := enter(t, l, alice)
		reader, writer := io.Pipe()
		body := slot.Body(t.Context(), reader)
		failed := make(chan error, 2)
		go func() {
			for range 2 {
				_, err := body.Read(make([]byte, 8))
				failed <- err
			}
		}()
		time.Sleep(time.Second) //nolint:forbidigo // synctest
		other := enter(t, l, bob)
		if _, err := writer.Write([]byte("late")); err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, <-failed)
		wantRefusal(t, <-failed)
		slot.Release()
		other.Release()
		enter(t, l, alice).Release()
	})
}

// A handler that gives its slot back early gives it back once.
func TestReleaseInAHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLimiter(1, 10)
		slot := enter(t, l, alice)
		admission.Release(admission.With(t.Context(), slot))
		other := enter(t, l, bob)
		if _, err := io.ReadAll(slot.Body(t.Context(), io.NopCloser(strings.NewReader("body")))); err != nil {
			t.Error(err)
		}
		slot.Release()
		if third := ask(t, l, alice); !waits(third) {
			t.Error("a slot was given back twice")
		} else {
			other.Release()
			(<-third).slot.Release()
		}
	})
}

// A slot that is released while its body waits for another one gives that one back too.
func TestReleaseWhileABodyWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, _ := newLimiter(1, 10)
		slot := enter(t, l, alice)
		reader, writer := io.Pipe()
		body := slot.Body(t.Context(), reader)
		read := make(chan error, 1)
		go func() {
			_, err := body.Read(make([]byte, 8))
			read <- err
		}()
		time.Sleep(time.Second) //nolint:forbidigo // synctest
		other := enter(t, l, bob)
		if _, err := writer.Write([]byte("late")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(read) == 1 {
			t.Fatal("a body goes on without a slot")
		}
		slot.Release()
		other.Release()
		if err := <-read; err != nil {
			t.Error(err)
		}
		enter(t, l, bob).Release()
	})
}

// However requests come and go, no more than the limit are worked on, and all slots are free in the end. Time stands still while a
// goroutine runs, so no request waits too long, and none lends its slot.
func TestLimitHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 8
		l, _ := newLimiter(limit, 1000)
		var working atomic.Int32
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				for range 100 {
					slot, err := l.Enter(t.Context(), admission.Key{Project: int16(i % 5)})
					if err != nil {
						t.Error(err)
						return
					}
					if n := working.Add(1); n > limit {
						t.Errorf("%d work at the same time", n)
					}
					if _, err := io.ReadAll(slot.Body(t.Context(), io.NopCloser(strings.NewReader("body")))); err != nil {
						t.Error(err)
					}
					working.Add(-1)
					slot.Release()
				}
			})
		}
		wg.Wait()
		for i := range limit {
			enter(t, l, admission.Key{Project: int16(100 + i)})
		}
	})
}

func BenchmarkEnter(b *testing.B) {
	l, _ := newLimiter(64, 64)
	for b.Loop() {
		slot, err := l.Enter(b.Context(), alice)
		if err != nil {
			b.Fatal(err)
		}
		slot.Release()
	}
}
