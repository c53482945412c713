package inflight_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hp-analytics/hp-analytics/services/ingest/internal/inflight"
)

func TestBudget(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	budget := inflight.NewBudget(100, registry)
	first, second := budget.Lease(), budget.Lease()
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
	`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(metrics)); err != nil {
		t.Error(err)
	}
}

func TestBudgetIsNeverExceeded(t *testing.T) {
	t.Parallel()
	budget := inflight.NewBudget(10, prometheus.NewRegistry())
	var wg sync.WaitGroup
	held := make(chan struct{}, 10) // as many as fit at once; one more would block the test
	for range 50 {
		wg.Go(func() {
			for range 200 {
				lease := budget.Lease()
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
	if err := budget.Lease().Grow(10); err != nil {
		t.Errorf("in the end something is still held: %v", err)
	}
}
