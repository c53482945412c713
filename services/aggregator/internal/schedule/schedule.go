// Package schedule does what only one aggregator at a time may do: it looks after batches whose wake-up was lost, makes
// partitions ahead of time, and prunes what is no longer needed.
package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

const (
	// sweepInterval is how often lost wake-ups are looked for, and grace how old a pending batch must be for that.
	sweepInterval = 2 * time.Second
	grace         = 5 * time.Second
	// maxTasks bounds the tasks of one sweep; the next one is two seconds away.
	maxTasks = 1000
	// slack is how many tasks more than folds are left alone: what one ingest process makes in a second.
	slack = 20
	// upkeepInterval is how often partitions are made and old rows pruned.
	upkeepInterval = time.Hour
	// ahead is how many days of partitions exist beyond today. Three days of a broken scheduler cost nothing.
	ahead = 3
	// idempotencyLife is how long the answer to an Idempotency-Key is kept.
	idempotencyLife = 24 * time.Hour
)

// Store is what upkeep needs from the database.
type Store interface {
	// Work returns how many folds the pending batches need that were committed longer than grace ago.
	Work(ctx context.Context, grace time.Duration) (folds int, err error)
	EnsurePartitions(ctx context.Context, from, to time.Time) (int, error)
	// DropExpired drops the raw rows of the days before one.
	DropExpired(ctx context.Context, before time.Time) ([]postgres.Partition, error)
	PruneBatches(ctx context.Context, age time.Duration) (int64, error)
	PruneIdempotencyKeys(ctx context.Context, age time.Duration) (int64, error)
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

// Run sweeps and keeps up until ctx ends, because the process stops or another one leads. Errors are logged: the next
// round tries again.
func (s *Schedule) Run(ctx context.Context) error {
	s.try(ctx, "upkeep", s.Upkeep)
	sweep, upkeep := time.NewTicker(sweepInterval), time.NewTicker(upkeepInterval)
	defer sweep.Stop()
	defer upkeep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-sweep.C:
			s.try(ctx, "sweep", s.Sweep)
		case <-upkeep.C:
			s.try(ctx, "upkeep", s.Upkeep)
		}
	}
}

func (s *Schedule) try(ctx context.Context, what string, work func(context.Context) error) {
	if err := work(ctx); err != nil && ctx.Err() == nil {
		s.options.Logger.WarnContext(ctx, "scheduled work", "work", what, "err", err)
	}
}

// Sweep keeps the queue proportional to the work left, because workers are scaled by its length. The unit of both is the
// fold: a task leads to one, and the work is the number of folds that would claim all that pends, each up to its budgets
// of rows and batches. There is to be
//
//   - at least a task for each fold of the batches that have waited for longer than they should, so that after a wipe of
//     Redis the queue is as long as it has to be with the first sweep, and half as long when half is done;
//   - at most slack tasks more than folds of all that pends. Ingest makes a task for each of its commits or 50 ms, and one
//     fold does the work of many; workers soon find the others to be for nothing, but while no worker was there they pile
//     up.
//
// Nothing pending leaves no task: each is worked off, whether there is something to fold or not. Without Redis Sweep folds
// by itself: losing Redis costs parallelism, not progress.
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
		s.options.Logger.WarnContext(ctx, "folding without tasks", "folds", overdue, "err", err)
		return s.foldAll(ctx)
	}
	return nil // without work it does not matter how Redis is
}

// wake makes the tasks that are missing when some wait already.
func (s *Schedule) wake(ctx context.Context, work, waiting int) error {
	for range min(work, maxTasks) - waiting {
		if err := s.options.Queue.Wake(ctx); err != nil {
			return err
		}
		s.rewoken.Inc()
	}
	return nil
}

// clear replaces the waiting tasks by as many as there are folds to be done, if that is far fewer. No wake-up is lost: who
// deletes first and measures then finds every batch whose task was deleted.
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

// foldAll folds until nothing is left.
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

// Expiry returns the first day whose raw rows are kept. A day more than promised is: an event of the last moment that
// ingest accepts must still find its partition.
func Expiry(now time.Time, life time.Duration) time.Time {
	return now.UTC().Add(-life).AddDate(0, 0, -1).Truncate(24 * time.Hour)
}

// Upkeep makes the partitions of the days around today, drops expired ones, and prunes receipts and idempotency keys.
func (s *Schedule) Upkeep(ctx context.Context) error {
	today := s.options.Now().UTC()
	made, err := s.options.Store.EnsurePartitions(ctx, today.AddDate(0, 0, -1), today.AddDate(0, 0, ahead))
	if err != nil {
		return fmt.Errorf("make partitions: %w", err)
	}
	dropped, err := s.options.Store.DropExpired(ctx, Expiry(today, s.options.RawLife))
	if err != nil {
		s.options.Logger.WarnContext(ctx, "dropping expired partitions", "err", err) // somebody reads them; the rest is not to wait
	}
	for _, p := range dropped {
		s.options.Logger.InfoContext(ctx, "dropped an expired partition", "partition", p.Name, "bytes", p.Bytes)
	}
	batches, err := s.options.Store.PruneBatches(ctx, s.options.ReceiptLife)
	if err != nil {
		return fmt.Errorf("prune receipts: %w", err)
	}
	keys, err := s.options.Store.PruneIdempotencyKeys(ctx, idempotencyLife)
	if err != nil {
		return fmt.Errorf("prune idempotency keys: %w", err)
	}
	s.options.Logger.InfoContext(ctx, "upkeep done", "partitions", made, "receipts", batches, "idempotency_keys", keys)
	return nil
}
