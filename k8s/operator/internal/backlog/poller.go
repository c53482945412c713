package backlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
)

// Poller periodically reads the queues of all pools into a Snapshot.
type Poller struct {
	inspector *asynq.Inspector
	queues    func(context.Context) ([]string, error)
	interval  time.Duration
	snapshot  *Snapshot
	logger    *slog.Logger
	errors    prometheus.Counter

	attempted atomic.Bool
	failing   bool // result of the last poll, so that only the beginning and the end of an outage are logged
}

// Options are the dependencies and settings of a Poller.
type Options struct {
	// Redis is the client for the queues. Asynq's Inspector takes no contexts, so the client's timeouts limit each call.
	Redis goredis.UniversalClient
	// Queues returns the names of the queues to read. It is called before each poll.
	Queues func(context.Context) ([]string, error)
	// Interval is the time between polls, and also the timeout of one poll.
	Interval   time.Duration
	Snapshot   *Snapshot
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// NewPoller returns a poller. Start runs it.
func NewPoller(o Options) *Poller {
	p := &Poller{
		inspector: asynq.NewInspectorFromRedisClient(o.Redis),
		queues:    o.Queues,
		interval:  o.Interval,
		snapshot:  o.Snapshot,
		logger:    o.Logger,
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hpa_queue_poll_errors_total",
			Help: "Polls of the queues that failed, in whole or for a queue.",
		}),
	}
	o.Registerer.MustRegister(p.errors, collector{o.Snapshot})
	return p
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: each replica answers requests and needs its own readings.
func (p *Poller) NeedLeaderElection() bool { return false }

// Start polls until ctx ends. It implements manager.Runnable.
func (p *Poller) Start(ctx context.Context) error {
	ticker := time.NewTicker(p.interval)
	defer ticker.Stop()
	for {
		p.poll(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Attempted is a readiness check that passes after the first poll, even a failed one. A replica that cannot reach Redis must
// still answer requests, with an error.
func (p *Poller) Attempted(context.Context) error {
	if !p.attempted.Load() {
		return errors.New("the queues have not been polled yet")
	}
	return nil
}

func (p *Poller) poll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, p.interval)
	defer cancel()
	err := p.read(ctx)
	if errors.Is(ctx.Err(), context.Canceled) {
		return // the process is stopping
	}
	p.attempted.Store(true)
	if err != nil {
		p.errors.Inc()
	}
	switch {
	case err != nil && !p.failing:
		p.logger.WarnContext(ctx, "polling the queues failed, keeping the last readings", "err", err)
	case err == nil && p.failing:
		p.logger.InfoContext(ctx, "polling the queues works again")
	}
	p.failing = err != nil
}

// read reads all queues once. A queue that cannot be read keeps its last reading and does not affect the others.
func (p *Poller) read(ctx context.Context) error {
	names, err := p.queues(ctx)
	if err != nil {
		return fmt.Errorf("list the queues of the pools: %w", err)
	}
	wanted := make(map[string]struct{}, len(names))
	for _, name := range names {
		wanted[name] = struct{}{}
	}
	p.snapshot.keep(wanted)
	if len(wanted) == 0 {
		return nil
	}

	// Asynq registers a queue with its first task. GetQueueInfo returns an error for an unknown queue that cannot be told apart
	// from other errors outside Asynq, so the known queues are listed first.
	asked := time.Now()
	existing, err := p.inspector.Queues()
	if err != nil {
		for name := range wanted {
			p.snapshot.missed(name)
		}
		return fmt.Errorf("list the queues of Asynq: %w", err)
	}
	var problems []error
	for name := range wanted {
		if !slices.Contains(existing, name) {
			p.snapshot.Put(name, Reading{Time: asked})
			continue
		}
		if err := p.readQueue(ctx, name); err != nil {
			p.snapshot.missed(name)
			problems = append(problems, fmt.Errorf("read queue %s: %w", name, err))
		}
	}
	return errors.Join(problems...)
}

func (p *Poller) readQueue(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil { // the previous queues used up the time
		return err
	}
	asked := time.Now()
	info, err := p.inspector.GetQueueInfo(name)
	if err != nil {
		return err
	}
	p.snapshot.Put(name, Reading{
		Backlog:       int64(info.Pending) + int64(info.Active) + int64(info.Aggregating),
		OldestPending: max(0, info.Latency), // the clocks of producers may be ahead
		Retry:         int64(info.Retry),
		Archived:      int64(info.Archived),
		Paused:        info.Paused,
		Time:          asked,
	})
	return nil
}
