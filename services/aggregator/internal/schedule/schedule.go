// Package schedule is the work that one aggregator at a time does: it keeps the queue of wake-up tasks in step with the
// pending batches, retries failed ones, creates partitions ahead of time, and deletes data that has expired.
package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

const (
	// sweepInterval is the time between two sweeps. A batch that is pending for longer than grace is overdue: its wake-up
	// task is probably lost.
	sweepInterval = 2 * time.Second
	grace         = 5 * time.Second
	// maxTasks bounds the tasks that one sweep adds.
	maxTasks = 1000
	// slack is how many more tasks than folds may wait before a sweep deletes the surplus. Each ingest process adds tasks
	// at a limited rate (pause in its package wakeup), and most of them find nothing left to fold.
	slack = 20
	// mergeInterval is the time between two merges of the segments of days that have many of them: at least manySegments.
	mergeInterval = 10 * time.Second
	manySegments  = 32
	// maintenanceInterval is the time between two runs of Maintain.
	maintenanceInterval = time.Hour
	// ahead is for how many days beyond today partitions exist. Maintenance may fail for that long without consequences.
	ahead = 3
	// idempotencyLife is how long the response to an Idempotency-Key is kept.
	idempotencyLife = 24 * time.Hour
)

// Store is what the schedule needs from the database.
type Store interface {
	// Work returns how many folds are needed for the pending batches that were committed longer than grace ago.
	Work(ctx context.Context, grace time.Duration) (folds int, err error)
	EnsurePartitions(ctx context.Context, from, to time.Time) (int, error)
	// DropExpired drops the raw rows of the weeks that end before a day.
	DropExpired(ctx context.Context, before time.Time) ([]postgres.Partition, error)
	// MergeSegments merges the segments of rollups of each day that has at least some, and returns how many it merged.
	MergeSegments(ctx context.Context, least int) (int64, error)
	// BlockSegments adds up the segments of blocks of days that ended before a day, and returns how many blocks it made.
	BlockSegments(ctx context.Context, before time.Time) (int64, error)
	PruneBatches(ctx context.Context, age time.Duration) (int64, error)
	PruneIdempotencyKeys(ctx context.Context, age time.Duration) (int64, error)
	// PruneTimes deletes the times of events that are no longer in question.
	PruneTimes(ctx context.Context) (int64, error)
}

// Queue is the queue of wake-up tasks.
type Queue interface {
	// Waiting returns how many tasks wait for a worker.
	Waiting(ctx context.Context) (int, error)
	// Clear deletes the tasks that wait for a worker and returns how many there were.
	Clear(ctx context.Context) (int, error)
	// Wake adds a task.
	Wake(ctx context.Context) error
}

// Options say what a Schedule works on.
type Options struct {
	Store       Store
	Queue       Queue
	Fold        func(ctx context.Context) (bool, error) // folds once; reports whether anything was pending
	RetryFailed func(ctx context.Context) error         // folds the failed batches whose time has come
	ReceiptLife time.Duration
	RawLife     time.Duration // of raw rows
	Now         func() time.Time
	Logger      *slog.Logger
}

// Schedule is the work of the leader.
type Schedule struct {
	options Options
	rewoken prometheus.Counter
	surplus prometheus.Counter
	direct  prometheus.Counter
}

// New returns a schedule. It does nothing until Run.
func New(options Options, registerer prometheus.Registerer) *Schedule {
	s := &Schedule{
		options: options,
		rewoken: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_aggregator_rewoken_tasks_total", Help: "Wake-up tasks made by the sweeper, because there were fewer than folds to be done.",
		}),
		surplus: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_aggregator_surplus_tasks_total", Help: "Wake-up tasks deleted by the sweeper, because there were many more than folds to be done.",
		}),
		direct: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_aggregator_direct_folds_total", Help: "Folds done by the sweeper itself because Redis was away.",
		}),
	}
	registerer.MustRegister(s.rewoken, s.surplus, s.direct)
	return s
}

// Run sweeps, merges and maintains until ctx ends, because the process stops or lost the leadership. None of the three waits for another
// one: maintenance can have rows to delete for minutes. Errors are logged; the next round tries again.
func (s *Schedule) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	loops.Go(func() {
		every(ctx, sweepInterval, func() {
			s.try(ctx, "sweep", s.Sweep)
			s.try(ctx, "retry of failed batches", s.options.RetryFailed)
		})
	})
	loops.Go(func() {
		every(ctx, mergeInterval, func() { s.try(ctx, "merge of segments", s.Merge) })
	})
	loops.Go(func() {
		s.try(ctx, "maintenance", s.Maintain)
		every(ctx, maintenanceInterval, func() { s.try(ctx, "maintenance", s.Maintain) })
	})
	loops.Wait()
	return nil
}

// every does work at an interval until ctx ends.
func every(ctx context.Context, interval time.Duration, work func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			work()
		}
	}
}

func (s *Schedule) try(ctx context.Context, what string, work func(context.Context) error) {
	if err := work(ctx); err != nil && ctx.Err() == nil {
		s.options.Logger.WarnContext(ctx, "scheduled work", "work", what, "err", err)
	}
}

// Sweep keeps the length of the queue proportional to the remaining work, because the autoscaler scales workers by it. Both
// are counted in folds: a task triggers one fold, and the work is the number of folds that would claim all pending batches
// within the row and batch budgets of a fold. Sweep maintains two bounds:
//
//   - At least one task for each fold of overdue batches. After Redis was wiped, the first sweep restores the queue to its
//     proper length, and the queue shrinks as the work gets done.
//   - At most slack more tasks than folds of all pending batches. Ingest adds tasks at a steady rate, whatever the size of
//     its batches, so one fold often does the work of many tasks. Workers consume the surplus quickly, but while no worker
//     runs it accumulates.
//
// With nothing pending, workers empty the queue. While Redis is down, Sweep folds by itself: an outage of Redis costs
// parallelism, not progress.
func (s *Schedule) Sweep(ctx context.Context) error {
	overdue, err := s.options.Store.Work(ctx, grace)
	if err != nil {
		return err
	}
	waiting, err := s.options.Queue.Waiting(ctx)
	if err == nil {
		if waiting > overdue+slack {
			err = s.clear(ctx, waiting)
		} else {
			err = s.wake(ctx, overdue, waiting)
		}
	}
	if err != nil && overdue > 0 {
		s.options.Logger.WarnContext(ctx, "fold without tasks, because Redis does not answer", "folds", overdue, "err", err)
		return s.foldAll(ctx)
	}
	return nil // nothing is overdue, so a failure of Redis does not matter
}

// wake adds the missing tasks when waiting tasks exist already.
func (s *Schedule) wake(ctx context.Context, work, waiting int) error {
	for range min(work, maxTasks) - waiting {
		if err := s.options.Queue.Wake(ctx); err != nil {
			return err
		}
		s.rewoken.Inc()
	}
	return nil
}

// clear replaces the waiting tasks by one for each fold, if that is more than slack fewer. It deletes before it measures
// the work, so every batch whose task was deleted is counted and no wake-up is lost.
func (s *Schedule) clear(ctx context.Context, waiting int) error {
	work, err := s.options.Store.Work(ctx, 0)
	if err != nil || waiting <= work+slack {
		return err
	}
	deleted, err := s.options.Queue.Clear(ctx)
	if err != nil {
		return err
	}
	s.surplus.Add(float64(deleted))
	if work, err = s.options.Store.Work(ctx, 0); err != nil {
		return err
	}
	return s.wake(ctx, work, 0)
}

// foldAll folds until nothing is pending.
func (s *Schedule) foldAll(ctx context.Context) error {
	for ctx.Err() == nil {
		more, err := s.options.Fold(ctx)
		if err != nil || !more {
			return err
		}
		s.direct.Inc()
	}
	return nil
}

// Expiry returns the first day whose raw rows are kept. It keeps one day more than life, because ingest accepts events up to
// the age of life and their partition must still exist when they are inserted.
func Expiry(now time.Time, life time.Duration) time.Time {
	return now.UTC().Add(-life).AddDate(0, 0, -1).Truncate(24 * time.Hour)
}

// Merge merges the segments of days that have so many that reading them takes longer than it must.
func (s *Schedule) Merge(ctx context.Context) error {
	_, err := s.options.Store.MergeSegments(ctx, manySegments)
	return err
}

// Maintain creates the partitions of the weeks around today, drops expired ones, deletes expired receipts, idempotency keys and times of
// events, and merges what is left of the segments of rollups. No step depends on another one, so all are done, and the error is that of
// all that fail.
func (s *Schedule) Maintain(ctx context.Context) error {
	store, today := s.options.Store, s.options.Now().UTC()
	var failed []error
	counts := []any{}
	for _, step := range []struct {
		what, counted string
		do            func() (int64, error)
	}{
		{"create partitions", "partitions", func() (int64, error) {
			made, err := store.EnsurePartitions(ctx, today.AddDate(0, 0, -1), today.AddDate(0, 0, ahead))
			return int64(made), err
		}},
		{"drop expired partitions", "dropped", func() (int64, error) { return s.drop(ctx, Expiry(today, s.options.RawLife)) }},
		{"prune receipts", "receipts", func() (int64, error) { return store.PruneBatches(ctx, s.options.ReceiptLife) }},
		{"prune idempotency keys", "idempotency_keys", func() (int64, error) { return store.PruneIdempotencyKeys(ctx, idempotencyLife) }},
		{"prune times of events", "event_times", func() (int64, error) { return store.PruneTimes(ctx) }},
		{"merge segments", "segments", func() (int64, error) { return store.MergeSegments(ctx, 1) }},
		// Wherever a project is, a day has ended a day after it ended in UTC.
		{"add up segments", "blocks", func() (int64, error) { return store.BlockSegments(ctx, today.AddDate(0, 0, -1)) }},
	} {
		n, err := step.do()
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", step.what, err))
		}
		counts = append(counts, step.counted, n)
	}
	s.options.Logger.InfoContext(ctx, "maintenance", append(counts, "failed_steps", len(failed))...)
	return errors.Join(failed...)
}

// drop drops the partitions of the weeks that end before a day and returns how many, also beside an error.
func (s *Schedule) drop(ctx context.Context, before time.Time) (int64, error) {
	dropped, err := s.options.Store.DropExpired(ctx, before)
	for _, p := range dropped {
		s.options.Logger.InfoContext(ctx, "dropped an expired partition", "partition", p.Name, "bytes", p.Bytes)
	}
	return int64(len(dropped)), err //nolint:wrapcheck // Maintain says what was done
}
