package worker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/worker"
)

// store answers with the next of its results.
type store struct{ results []result }

type result struct {
	folded postgres.Folded
	err    error
}

func (s *store) Fold(context.Context) (postgres.Folded, error) {
	next := s.results[0]
	s.results = s.results[1:]
	return next.folded, next.err
}

func (s *store) RetryFailed(ctx context.Context) (postgres.Folded, error) { return s.Fold(ctx) }

// versions counts what is published, and may fail.
type versions struct {
	published int
	err       error
}

func (v *versions) Publish(context.Context, rollup.Changed) error {
	v.published++
	return v.err
}

func TestFoldSaysWhetherItDidSomething(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection lost")
	s := &store{results: []result{
		{folded: postgres.Folded{}},
		{folded: postgres.Folded{NoLane: true}},
		{err: broken},
		{folded: postgres.Folded{Batches: 2, Rows: 10, Changed: rollup.Changed{}}},
	}}
	v := &versions{err: errors.New("Redis is away")}
	w := worker.New(s, v, platformtest.Logger(t), prometheus.NewRegistry())
	start := w.Last()
	if time.Since(start) > time.Minute {
		t.Errorf("a new folder has last folded %s ago", time.Since(start))
	}
	for i, want := range []struct {
		did bool
		err error
	}{{false, nil}, {false, nil}, {false, broken}} {
		if did, err := w.Fold(t.Context()); did != want.did || !errors.Is(err, want.err) || w.Last() != start || v.published > 0 {
			t.Errorf("fold %d: %t, %v, last %s, published %d", i, did, err, w.Last(), v.published)
		}
	}
	// What is committed counts, even if caches cannot be told.
	if did, err := w.Fold(t.Context()); !did || err != nil || !w.Last().After(start) || v.published != 1 {
		t.Errorf("a fold with rows: %t, %v, last %s, published %d", did, err, w.Last(), v.published)
	}
}

// TestCommittedWorkIsPublishedBesideAnError covers a fold of several transactions that fails after the first.
func TestCommittedWorkIsPublishedBesideAnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection lost")
	folded := postgres.Folded{Batches: 1, Rows: 4, Changed: rollup.Changed{}}
	s, v := &store{results: []result{{folded: folded, err: broken}, {folded: folded, err: broken}}}, &versions{}
	w := worker.New(s, v, platformtest.Logger(t), prometheus.NewRegistry())
	if did, err := w.Fold(t.Context()); !did || !errors.Is(err, broken) || v.published != 1 {
		t.Errorf("a fold: %t, %v, published %d", did, err, v.published)
	}
	if err := w.RetryFailed(t.Context()); !errors.Is(err, broken) || v.published != 2 {
		t.Errorf("a retry: %v, published %d", err, v.published)
	}
}
