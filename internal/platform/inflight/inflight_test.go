package inflight_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hp-analytics/hp-analytics/internal/platform/inflight"
)

var (
	alice = inflight.Holder{Caller: "alice", Address: "192.0.2.1"}
	bob   = inflight.Holder{Caller: "bob", Address: "192.0.2.1"}
	carol = inflight.Holder{Caller: "carol", Address: "192.0.2.2"}
)

// TestShares lets a caller, and then an address, take as much as they may. There is room for others each time.
func TestShares(t *testing.T) {
	t.Parallel()
	budget := inflight.NewBudget("ingest", inflight.Limits{Total: 100, Caller: 30, Address: 50}, prometheus.NewRegistry())
	leases := map[inflight.Holder][]*inflight.Lease{}
	grow := func(holder inflight.Holder, n int64, want error) {
		t.Helper()
		lease := budget.Lease(holder)
		leases[holder] = append(leases[holder], lease)
		if err := lease.Grow(n); !errors.Is(err, want) {
			t.Errorf("%d more for %s: got %v, want %v", n, holder.Caller, err, want)
		}
	}
	grow(alice, 20, nil)
	grow(alice, 10, nil)
	grow(alice, 1, inflight.ErrShare)
	grow(bob, 20, nil)
	grow(bob, 1, inflight.ErrShare) // with alice's, as much as their address may hold
	grow(carol, 30, nil)
	for _, lease := range leases[alice] {
		lease.Release()
	}
	grow(bob, 10, nil)
	grow(alice, 20, nil)
}

func TestBudget(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	budget := inflight.NewBudget("ingest", inflight.Limits{Total: 100, Caller: 200, Address: 200}, registry)
	first, second := budget.Lease(alice), budget.Lease(alice)
	for _, n := range []int64{30, 30, 40} {
		if err := first.Grow(n); err != nil {
			t.Fatalf("%d more: %v", n, err)
		}
	}
	if err := second.Grow(1); !errors.Is(err, inflight.ErrFull) {
		t.Errorf("a byte too many: got %v", err)
	}
	first.Release()
	first.Release() // gives back only once
	if err := second.Grow(101); !errors.Is(err, inflight.ErrFull) {
		t.Errorf("more than all: got %v", err)
	}
	if err := second.Grow(100); err != nil {
		t.Errorf("all, after it was given back: %v", err)
	}
	const metrics = `
		# HELP hpa_ingest_inflight_bytes Bytes of request bodies in memory, decoded, with an allowance for each request.
		# TYPE hpa_ingest_inflight_bytes gauge
		hpa_ingest_inflight_bytes 100
		# HELP hpa_ingest_overloads_total Requests turned away because those in flight use all the memory they may (INGEST_MAX_INFLIGHT_BYTES).
		# TYPE hpa_ingest_overloads_total counter
		hpa_ingest_overloads_total 2
		# HELP hpa_ingest_shares_exceeded_total Requests turned away because their caller or address has as much in flight as one may.
		# TYPE hpa_ingest_shares_exceeded_total counter
		hpa_ingest_shares_exceeded_total 0
	`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(metrics)); err != nil {
		t.Error(err)
	}
}

func TestBudgetIsNeverExceeded(t *testing.T) {
	t.Parallel()
	budget := inflight.NewBudget("ingest", inflight.Limits{Total: 10, Caller: 10, Address: 10}, prometheus.NewRegistry())
	var wg sync.WaitGroup
	held := make(chan struct{}, 10) // as many as fit at once; one more would block the test
	for range 50 {
		wg.Go(func() {
			for range 200 {
				lease := budget.Lease(alice)
				if lease.Grow(1) == nil {
					select {
					case held <- struct{}{}:
						<-held
					default:
						t.Error("more than 10 hold a part of 10")
					}
				}
				lease.Release()
			}
		})
	}
	wg.Wait()
	if err := budget.Lease(alice).Grow(10); err != nil {
		t.Errorf("in the end something is still held: %v", err)
	}
}
