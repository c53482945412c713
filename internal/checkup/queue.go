package checkup

import (
	"context"
	"slices"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/internal/quantity"
)

// latencyHigh is how long the oldest task may wait.
const latencyHigh = 10 * time.Second

// RetryMany is the number of tasks that failed and wait to be tried again, from which on that is worth a look.
const RetryMany = 100

// queueTasks looks at the queue of wake-up tasks. A lost task delays a fold by seconds, so only its whole is judged.
func queueTasks(ctx context.Context, s *Site) ([]Finding, error) {
	name, known, err := s.queue(ctx)
	if err != nil {
		return nil, err
	}
	if !known {
		return One(Fine("the queue %s is new: no task was enqueued since Redis was last wiped", name))
	}
	info, err := s.Queue.GetQueueInfo(name)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	if info.Paused {
		findings = append(findings, Wrong("hp-analytics queue resume", "the queue is paused: only the sweeper folds"))
	}
	if info.Pending > 0 && info.Latency >= s.AtLeast(latencyHigh) {
		findings = append(findings, Warn("look whether aggregators run and fold (hp-analytics queue); start more of them",
			"%s waiting, the oldest for %s", quantity.Of(info.Pending, "task"), info.Latency.Round(time.Second)))
	}
	if info.Archived > 0 {
		findings = append(findings, Warn("hp-analytics queue list archived says why; hp-analytics queue delete --archived",
			"%s not tried again after many failures; the sweeper did the work", quantity.Of(info.Archived, "task")))
	}
	if info.Retry >= RetryMany {
		findings = append(findings, Warn("hp-analytics queue list retry says why; look at the log of the aggregator", "%s failed, and tried again", quantity.Of(info.Retry, "task")))
	}
	return OrFine(findings, "tasks: %d waiting, %d running, %d tried again; today %d done, %d of them failed", info.Pending, info.Active, info.Retry, info.Processed, info.Failed)
}

// queue returns the name of the queue, and whether Asynq knows it.
func (s *Site) queue(ctx context.Context) (name string, known bool, err error) {
	if name, err = s.Redis.Queue(ctx, protocol.BatchReady.Queue); err != nil {
		return "", false, err
	}
	all, err := s.Queue.Queues()
	return name, slices.Contains(all, name), err
}

func queueWorkers(ctx context.Context, s *Site) ([]Finding, error) {
	name, _, err := s.queue(ctx)
	if err != nil {
		return nil, err
	}
	servers, err := s.Queue.Servers()
	if err != nil {
		return nil, err
	}
	processes, folds := 0, 0
	for _, server := range servers {
		if _, ours := server.Queues[name]; ours && server.Status == "active" {
			processes++
			folds += server.Concurrency
		}
	}
	if processes == 0 {
		return One(Wrong("start the aggregator; if it runs, compare its REDIS_URL and REDIS_NAMESPACE with those used here", "no aggregator takes tasks from the queue %s", name))
	}
	return One(Fine("%s taking tasks, %d at once", quantity.Of(processes, "aggregator"), folds))
}
