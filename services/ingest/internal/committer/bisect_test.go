package committer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/event"
	"github.com/hp-analytics/hp-analytics/services/ingest/internal/order"
)

// flush sends one request of each user while the writer is busy, so that all share a flush, and returns their errors. The
// store keeps the transactions of that flush.
func (b *bench) flush(send func(user string) error, users []string) []error {
	b.t.Helper()
	first := b.send(b.t.Context(), "first")
	results := make([]chan error, len(users))
	for i, user := range users {
		results[i] = make(chan error, 1)
		go func() { results[i] <- send(user) }()
	}
	synctest.Wait()
	b.store.mu.Lock()
	before := len(b.store.flushes)
	b.store.mu.Unlock()
	<-first
	outcomes := make([]error, len(users))
	for i := range results {
		outcomes[i] = <-results[i]
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	b.store.flushes = b.store.flushes[before:]
	return outcomes
}

func (b *bench) sendEvent(user string) error {
	_, stored, err := b.CommitEvents(b.t.Context(), []event.Event{{Fact: event.Fact{UserID: user}}})
	if err == nil && !slices.Equal(stored, []event.Status{event.Accepted}) {
		return fmt.Errorf("stored %v", stored)
	}
	return err
}

func (b *bench) sendOrder(user string) error {
	outcomes, err := b.CommitOrders(b.t.Context(), []order.Order{{UserID: user, Lines: make([]order.Line, 1)}})
	if err == nil && (len(outcomes) != 1 || outcomes[0].Order.UserID != user || outcomes[0].Replayed) {
		return fmt.Errorf("answered with %+v", outcomes)
	}
	return err
}

// TestBadRowsCostTheirOwnRequestsOnly flushes 4,000 requests. Each gets its own result, and few transactions are needed.
func TestBadRowsCostTheirOwnRequestsOnly(t *testing.T) {
	t.Parallel()
	const n = maxFlush
	const split = 2 * 12 // transactions that it takes to isolate one of 4,000: two for each halving
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	for name, test := range map[string]struct {
		bad  []int
		most int
	}{
		"none":    {nil, 1},
		"first":   {[]int{0}, 1 + split},
		"one":     {[]int{1234}, 1 + split},
		"last":    {[]int{n - 1}, 1 + split},
		"three":   {[]int{7, 1999, 3000}, 1 + 3*split},
		"all bad": {all, 2*n - 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, send := range map[string]func(*bench) func(string) error{
				"events": func(b *bench) func(string) error { return b.sendEvent },
				"orders": func(b *bench) func(string) error { return b.sendOrder },
			} {
				inBubble(t, 2*n, func(t *testing.T, b *bench) {
					b.store.duration = time.Millisecond
					users := make([]string, n)
					for i := range users {
						users[i] = strconv.Itoa(i)
					}
					for _, i := range test.bad {
						b.store.bad[users[i]] = true
					}
					failed := 0
					for i, err := range b.flush(send(b), users) {
						switch bad := b.store.bad[users[i]]; {
						case bad && !errors.Is(err, rowError{users[i]}):
							t.Fatalf("%s: bad request %d: %v, want its own error", kind, i, err)
						case !bad && err != nil:
							t.Fatalf("%s: good request %d: %v", kind, i, err)
						case bad:
							failed++
						}
					}
					if failed != len(test.bad) || len(b.store.flushes) > test.most {
						t.Errorf("%s: %d failed in %d transactions, want %d in at most %d", kind, failed, len(b.store.flushes), len(test.bad), test.most)
					}
				})
			}
		})
	}
}

// TestAnErrorOfAllStartsNoBisection fails a flush, and the second half of a bisection, with errors that no single row
// causes.
func TestAnErrorOfAllStartsNoBisection(t *testing.T) {
	t.Parallel()
	broken := errors.New("permission denied")
	for _, failure := range []error{errUnavailable, broken} {
		inBubble(t, 100, func(t *testing.T, b *bench) {
			b.store.failures = []error{failure}
			if err := b.sendEvent("a"); !errors.Is(err, failure) {
				t.Errorf("alone: %v, want %v", err, failure)
			}
			for i, err := range b.flushFailing([]error{failure}, []string{"a", "b", "c", "d"}) {
				if !errors.Is(err, failure) {
					t.Errorf("request %d: %v, want %v", i, err, failure)
				}
			}
			if len(b.store.flushes) != 1 {
				t.Errorf("%v led to %d transactions: %v", failure, len(b.store.flushes), b.store.flushes)
			}
		})
		inBubble(t, 100, func(t *testing.T, b *bench) {
			stored, failed := 0, 0
			for _, err := range b.flushFailing([]error{ErrContent, failure}, []string{"a", "b", "c", "d"}) {
				if err == nil {
					stored++
				} else if errors.Is(err, failure) {
					failed++
				}
			}
			if stored != 2 || failed != 2 {
				t.Errorf("%d stored, %d failed with %v; want a half each", stored, failed, failure)
			}
			if len(b.store.flushes) != 3 {
				t.Errorf("%d transactions, want the whole and two halves: %v", len(b.store.flushes), b.store.flushes)
			}
		})
	}
}

// flushFailing flushes events in transactions of which the first ones fail.
func (b *bench) flushFailing(failures []error, users []string) []error {
	b.t.Helper()
	armed := func(user string) error {
		b.store.mu.Lock()
		b.store.failures = append([]error{nil}, failures...) // the first is for the flush that keeps the writer busy
		b.store.mu.Unlock()
		return b.sendEvent(user)
	}
	return b.flush(armed, users)
}

// TestADeadlineEndsABisection gives a flush that cannot be settled in time back to its clients.
func TestADeadlineEndsABisection(t *testing.T) {
	t.Parallel()
	inBubble(t, 2*maxFlush, func(t *testing.T, b *bench) {
		users := make([]string, maxFlush)
		for i := range users {
			users[i] = strconv.Itoa(i)
			b.store.bad[users[i]] = true
		}
		begin := time.Now()
		alone, unsettled := 0, 0
		for i, err := range b.flush(b.sendEvent, users) {
			switch {
			case errors.Is(err, rowError{users[i]}):
				alone++
			case errs.Is(err, errs.Unavailable):
				unsettled++
			default:
				t.Fatalf("request %d: %v", i, err)
			}
		}
		if alone == 0 || alone+unsettled != maxFlush {
			t.Errorf("%d failed by their own rows, %d were not settled", alone, unsettled)
		}
		if took := time.Since(begin); took != time.Second+flushTimeout {
			t.Errorf("it took %s", took)
		}
		if most := int(flushTimeout/time.Second) + 15; len(b.store.flushes) > most {
			t.Errorf("%d transactions, want at most %d", len(b.store.flushes), most)
		}
	})
}

// TestObstaclesAreAnsweredAtOnce flushes requests of which two cannot be stored as they are. The others are stored by the
// next transaction, whatever their number, and each of the two learns which of its events is in the way.
func TestObstaclesAreAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, 1000, func(t *testing.T, b *bench) {
		b.store.blocked["changed"] = true
		users := make([]string, 100)
		for i := range users {
			users[i] = strconv.Itoa(i)
		}
		users[17], users[80] = "changed", "changed"
		send := func(user string) error {
			_, _, err := b.CommitEvents(b.t.Context(), []event.Event{{Fact: event.Fact{UserID: "before " + user}}, {Fact: event.Fact{UserID: user}}})
			return err
		}
		for i, err := range b.flush(send, users) {
			obstacles, blocked := errors.AsType[event.BlockedError](err)
			if blocked != (users[i] == "changed") || blocked && (len(obstacles) != 1 || obstacles[1] == nil) || !blocked && err != nil {
				t.Errorf("request %d: %v", i, err)
			}
		}
		if n := len(b.store.flushes); n != 2 || len(b.store.flushes[1]) != 2*98 {
			t.Errorf("%d transactions, want one that fails and one with the other 98 requests", n)
		}
	})
}

// TestLockedRowsCostTheirOwnRequestsOnly flushes 4,000 requests of which some meet rows that another transaction holds. The whole
// waits for them for a second, and all its parts together for another one, however many are locked. Up to some dozens of locked
// rows cost nobody else anything but that.
func TestLockedRowsCostTheirOwnRequestsOnly(t *testing.T) {
	t.Parallel()
	every := func(n int) (at []int) {
		for i := 0; i < maxFlush; i += maxFlush / n {
			at = append(at, i)
		}
		return at
	}
	for name, tc := range map[string]struct {
		at  []int
		own bool // all other requests are stored
	}{
		"first": {[]int{0}, true}, "one": {[]int{1234}, true}, "last": {[]int{maxFlush - 1}, true}, "forty": {every(40), true},
		"one of two": {every(maxFlush / 2), false}, "all": {every(maxFlush), false},
	} {
		for kind, send := range map[string]func(*bench) func(string) error{
			"events": func(b *bench) func(string) error { return b.sendEvent },
			"orders": func(b *bench) func(string) error { return b.sendOrder },
		} {
			inBubble(t, 2*maxFlush, func(t *testing.T, b *bench) {
				b.store.duration, b.store.locked = time.Microsecond, map[string]bool{}
				users := make([]string, maxFlush)
				for i := range users {
					users[i] = strconv.Itoa(i)
				}
				for _, i := range tc.at {
					b.store.locked[users[i]] = true
				}
				if kind == "orders" { // keeps their writer busy, as flush does for events
					go func() { _ = b.sendOrder("first") }()
					synctest.Wait()
				}
				for i, err := range b.flush(send(b), users) {
					if locked := b.store.locked[users[i]]; locked && !errors.Is(err, ErrLocked) || !locked && err != nil && (tc.own || !errors.Is(err, ErrLocked)) {
						t.Fatalf("%s, %s: request %d: %v", name, kind, i, err)
					}
				}
				if most := 2*time.Second + 10*time.Millisecond; b.store.waited > most {
					t.Errorf("%s, %s: all waited %s for locked rows, want %s at most", name, kind, b.store.waited, most)
				}
			})
		}
	}
}
