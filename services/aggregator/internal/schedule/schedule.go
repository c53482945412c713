// Package schedule does what only one aggregator at a time may do: it looks after batches whose wake-up was lost, makes
// partitions ahead of time, and prunes what is no longer needed.
package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

const (
	// sweepInterval is how often lost wake-ups are looked for, and grace how old a pending batch must be for that.
	sweepInterval = 2 * time.Second
	grace         = 5 * time.Second
	// maxTasks bounds the tasks of one sweep; the next one is two seconds away.
	maxTasks = 1000
	// upkeepInterval is how often partitions are made and old rows pruned.
	upkeepInterval = time.Hour
	// ahead is how many days of partitions exist beyond today. Three days of a broken scheduler cost nothing.
	ahead = 3
	// idempotencyLife is how long the answer to an Idempotency-Key is kept.
	idempotencyLife = 24 * time.Hour
)

// Store is what upkeep needs from the database.
type Store interface {
	// Stragglers returns up to limit pending batches that were committed longer than grace ago, oldest first.
	Stragglers(ctx context.Context, grace time.Duration, limit int) ([]uuid.UUID, error)
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
	Wake(ctx context.Context, batch uuid.UUID) error
}

// Schedule is the work of the leader.
type Schedule struct {
	Store       Store
	Queue       Queue
	Fold        func(ctx context.Context) (bool, error) // folds once; reports whether there was anything
	ReceiptLife time.Duration
	RawLife     time.Duration // of raw rows
	Now         func() time.Time
	Logger      *slog.Logger
	rewoken     prometheus.Counter
	direct      prometheus.Counter
}

// Register registers the schedule's metrics.
func (s *Schedule) Register(registerer prometheus.Registerer) {
	s.rewoken = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "hpa_aggregator_rewoken_batches_total", Help: "Wake-up tasks made anew because a batch stayed pending.",
	})
	s.direct = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "hpa_aggregator_direct_folds_total", Help: "Folds done by the sweeper itself because Redis was away.",
	})
	registerer.MustRegister(s.rewoken, s.direct)
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
		s.Logger.WarnContext(ctx, "scheduled work", "work", what, "err", err)
	}
}

// Sweep makes a new wake-up task for each straggler that no waiting task stands for, so that the queue is again as long
// as the work is much. Without Redis it folds by itself: losing Redis costs parallelism, not progress.
func (s *Schedule) Sweep(ctx context.Context) error {
	stragglers, err := s.Store.Stragglers(ctx, grace, maxTasks)
	if err != nil || len(stragglers) == 0 {
		return err //nolint:wrapcheck // says what was asked for
	}
	waiting, err := s.Queue.Waiting(ctx)
	if err != nil {
		s.Logger.WarnContext(ctx, "folding without tasks", "stragglers", len(stragglers), "err", err)
		return s.foldAll(ctx)
	}
	for _, batch := range stragglers[:max(0, len(stragglers)-waiting)] {
		if err := s.Queue.Wake(ctx, batch); err != nil {
			s.Logger.WarnContext(ctx, "folding without tasks", "stragglers", len(stragglers), "err", err)
			return s.foldAll(ctx)
		}
		s.rewoken.Inc()
	}
	return nil
}

// foldAll folds until nothing is left.
func (s *Schedule) foldAll(ctx context.Context) error {
	for ctx.Err() == nil {
		more, err := s.Fold(ctx)
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
	today := s.Now().UTC()
	made, err := s.Store.EnsurePartitions(ctx, today.AddDate(0, 0, -1), today.AddDate(0, 0, ahead))
	if err != nil {
		return fmt.Errorf("make partitions: %w", err)
	}
	dropped, err := s.Store.DropExpired(ctx, Expiry(today, s.RawLife))
	if err != nil {
		s.Logger.WarnContext(ctx, "dropping expired partitions", "err", err) // somebody reads them; the rest is not to wait
	}
	for _, p := range dropped {
		s.Logger.InfoContext(ctx, "dropped an expired partition", "partition", p.Name, "bytes", p.Bytes)
	}
	batches, err := s.Store.PruneBatches(ctx, s.ReceiptLife)
	if err != nil {
		return fmt.Errorf("prune receipts: %w", err)
	}
	keys, err := s.Store.PruneIdempotencyKeys(ctx, idempotencyLife)
	if err != nil {
		return fmt.Errorf("prune idempotency keys: %w", err)
	}
	s.Logger.InfoContext(ctx, "upkeep done", "partitions", made, "receipts", batches, "idempotency_keys", keys)
	return nil
}
