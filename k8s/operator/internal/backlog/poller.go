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

// Poller reads the queues that pools name, at an interval, into a Snapshot.
type Poller struct {
	inspector *asynq.Inspector
	queues    func(context.Context) ([]string, error)
	interval  time.Duration
	snapshot  *Snapshot
	logger    *slog.Logger
	errors    prometheus.Counter

	attempted atomic.Bool
	failing   bool // outcome of the last poll, so that an outage is logged when it begins and when it ends
}

// Options say what a Poller needs.
type Options struct {
	// Redis is where the queues are. Asynq's Inspector takes no contexts, so the client's own timeouts bound each call.
	Redis *goredis.Client
	// Queues returns the names of the queues to read. It is called before each poll.
	Queues func(context.Context) ([]string, error)
	// Interval is the time from one poll to the next, and also bounds one.
	Interval   time.Duration
	Snapshot   *Snapshot
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// NewPoller returns a poller; Start makes it work.
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

// Attempted reports whether a first poll has come to an end, well or not: a replica that cannot reach Redis still has to
// answer, with an error.
func (p *Poller) Attempted(context.Context) error {
	if !p.attempted.Load() {
		return errors.New("no poll of the queues has ended yet")
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
		p.logger.WarnContext(ctx, "polling the queues fails, the last readings are kept", "err", err)
	case err == nil && p.failing:
		p.logger.InfoContext(ctx, "polling the queues works again")
	}
	p.failing = err != nil
}

// read reads all queues once. A queue that cannot be read keeps its last reading; the others are read nevertheless.
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

	// Asynq knows a queue from its first task on. Which it knows is asked here, because GetQueueInfo's error for one that
	// it does not know is of a type that nobody outside Asynq can tell from the others.
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
	if err := ctx.Err(); err != nil { // the queues before it have taken all the time
		return err
	}
	asked := time.Now()
	info, err := p.inspector.GetQueueInfo(name)
	if err != nil {
		return err
	}
	p.snapshot.Put(name, Reading{
		Backlog:       int64(info.Pending) + int64(info.Active) + int64(info.Aggregating),
		OldestPending: max(0, info.Latency), // clocks of producers may be ahead of ours
		Retry:         int64(info.Retry),
		Archived:      int64(info.Archived),
		Paused:        info.Paused,
		Time:          asked,
	})
	return nil
}
