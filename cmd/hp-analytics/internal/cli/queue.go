package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/hibiken/asynq"
	"github.com/spf13/cobra"

	"github.com/hp-analytics/hp-analytics/cmd/hp-analytics/internal/doctor"
	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/internal/quantity"
)

func queueCommand(env environment) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Show the queue of wake-up tasks and its workers; list, run and delete tasks",
		Long: `Show the queue of wake-up tasks and the workers that take them.

A task has no data: it wakes a worker, which folds all pending batches, and the aggregator replaces a lost one within seconds. So
deleting tasks loses nothing, and running archived ones is only needed to try them.

It uses DATABASE_URL and REDIS_URL (and REDIS_NAMESPACE), or else the private servers of DATA_DIR (default .data).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withQueue(cmd.Context(), func(q queue) error { return env.printQueue(q, asJSON) })
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(
		queueList(env),
		queueChange(env, "run", "Run archived tasks again: those with the given ids, or all with --archived", queue.run),
		queueChange(env, "delete", "Delete archived tasks: those with the given ids, or all with --archived", queue.delete),
		queueSwitch(env, "pause", "Let the workers take no more tasks; the sweeper still folds", (*asynq.Inspector).PauseQueue),
		queueSwitch(env, "resume", "Let the workers take tasks again", (*asynq.Inspector).UnpauseQueue),
	)
	return cmd
}

// queue is the queue of an installation.
type queue struct {
	*asynq.Inspector
	name  string // in Asynq
	known bool   // Asynq has it: a task was enqueued since Redis was last wiped
	site  *doctor.Site
}

// errNoQueue is the answer to commands that need the queue.
var errNoQueue = errors.New("there is no queue yet: no task was enqueued since Redis was last wiped. The first event makes it")

func (e environment) withQueue(ctx context.Context, fn func(queue) error) error {
	return e.withSite(ctx, func(s *doctor.Site) error {
		if s.Redis == nil {
			return usageError{errors.New("no queue: set REDIS_URL to the Redis of the services")}
		}
		name, err := s.Redis.Queue(ctx, protocol.BatchReady.Queue)
		if err != nil {
			return err
		}
		all, err := s.Queue.Queues()
		if err != nil {
			return fmt.Errorf("list the queues: %w", err)
		}
		return fn(queue{s.Queue, name, slices.Contains(all, name), s})
	})
}

// lists are how tasks of a state are listed.
var lists = map[string]func(*asynq.Inspector, string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){
	"pending": (*asynq.Inspector).ListPendingTasks, "active": (*asynq.Inspector).ListActiveTasks,
	"retry": (*asynq.Inspector).ListRetryTasks, "archived": (*asynq.Inspector).ListArchivedTasks,
}

func queueList(env environment) *cobra.Command {
	limit := 20
	cmd := &cobra.Command{
		Use: "list pending|active|retry|archived", Short: "List tasks of a state, and why they failed", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, ok := lists[args[0]]
			switch {
			case !ok:
				return usageError{fmt.Errorf("name a state of tasks: pending, active, retry or archived, not %q", args[0])}
			case limit < 1:
				return usageError{fmt.Errorf("--limit must be at least 1, not %d", limit)}
			}
			return env.withQueue(cmd.Context(), func(q queue) error {
				if !q.known {
					return env.done(nil, "0 tasks\n")
				}
				tasks, err := list(q.Inspector, q.name, asynq.PageSize(limit))
				if err != nil {
					return fmt.Errorf("list tasks: %w", err)
				}
				return env.printTasks(tasks)
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", limit, "how many tasks at most")
	return cmd
}

func (e environment) printTasks(tasks []*asynq.TaskInfo) error {
	for _, t := range tasks {
		failed := ""
		if t.LastErr != "" {
			failed = fmt.Sprintf(", failed %s: %s", t.LastFailedAt.UTC().Format(time.RFC3339), t.LastErr)
		}
		_, _ = fmt.Fprintf(e.stdout, "%s %s, try %d of %d%s\n", t.ID, t.Type, t.Retried+1, t.MaxRetry+1, failed)
	}
	return e.done(nil, "%s\n", quantity.Of(len(tasks), "task"))
}

// queueChange is a command that changes the archived tasks with the given ids, or all.
func queueChange(env environment, name, short string, change func(q queue, ids []string) (int, error)) *cobra.Command {
	all := false
	cmd := &cobra.Command{
		Use: name + " ID… | --archived", Short: short,
		RunE: func(cmd *cobra.Command, ids []string) error {
			if all == (len(ids) > 0) {
				return usageError{errors.New("name the ids of archived tasks (hp-analytics queue list archived), or --archived for all of them, and not both")}
			}
			return env.withQueue(cmd.Context(), func(q queue) error {
				if !q.known {
					return errNoQueue
				}
				details := audit.Details{"archived": all}
				if len(ids) > 0 {
					details = audit.Details{"tasks": ids}
				}
				if err := q.record(cmd.Context(), name, details); err != nil {
					return err
				}
				n, err := change(q, ids)
				return env.done(err, "%s: %s\n", name, quantity.Of(n, "archived task"))
			})
		},
	}
	cmd.Flags().BoolVar(&all, "archived", false, "all archived tasks")
	return cmd
}

// record adds a command that changes the queue to the audit log.
func (q queue) record(ctx context.Context, command string, details audit.Details) error {
	return recordEntry(ctx, q.site.Data, "", audit.Entry{Action: queueAction + command, Subject: "queue:" + q.name, Details: details})
}

// run runs archived tasks and returns how many; all of them without ids.
func (q queue) run(ids []string) (int, error) {
	if len(ids) == 0 {
		return q.RunAllArchivedTasks(q.name)
	}
	return q.each(ids, q.RunTask)
}

// delete deletes archived tasks and returns how many; all of them without ids.
func (q queue) delete(ids []string) (int, error) {
	if len(ids) == 0 {
		return q.DeleteAllArchivedTasks(q.name)
	}
	return q.each(ids, q.DeleteTask)
}

// each changes archived tasks until one of them cannot be.
func (q queue) each(ids []string, change func(queue, id string) error) (int, error) {
	for n, id := range ids {
		task, err := q.GetTaskInfo(q.name, id)
		if errors.Is(err, asynq.ErrTaskNotFound) {
			return n, fmt.Errorf("there is no task %s; `hp-analytics queue list archived` names those that can be changed", id)
		}
		if err != nil {
			return n, fmt.Errorf("task %s: %w", id, err)
		}
		if task.State != asynq.TaskStateArchived {
			return n, fmt.Errorf("task %s is %s, not archived: nothing is done to it", id, task.State)
		}
		if err := change(q.name, id); err != nil {
			return n, fmt.Errorf("task %s: %w", id, err)
		}
	}
	return len(ids), nil
}

func queueSwitch(env environment, name, short string, change func(*asynq.Inspector, string) error) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withQueue(cmd.Context(), func(q queue) error {
				if !q.known {
					return errNoQueue
				}
				if err := q.record(cmd.Context(), name, nil); err != nil {
					return err
				}
				return env.done(change(q.Inspector, q.name), "%s: the queue %s\n", name, q.name)
			})
		},
	}
}

// printQueue prints the state of the queue and of its workers.
func (e environment) printQueue(q queue, asJSON bool) error {
	state, err := q.state()
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(e.stdout, state)
	}
	table := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "QUEUE\tSTATE\tPENDING\tACTIVE\tRETRY\tARCHIVED\tDONE TODAY\tFAILED TODAY\tOLDEST WAITS") // Flush returns the error
	status := "running"
	if state.Paused {
		status = "paused"
	}
	_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f s\n\n", state.Queue, status, state.Pending, state.Active, state.Retry,
		state.Archived, state.Processed, state.Failed, state.Latency)
	_, _ = fmt.Fprintln(table, "WORKER\tSTATE\tSTARTED\tAT ONCE\tBUSY")
	for _, w := range state.Workers {
		_, _ = fmt.Fprintf(table, "%s %d\t%s\t%s\t%d\t%d\n", w.Host, w.PID, w.Status, w.Started.UTC().Format(time.RFC3339), w.Concurrency, w.Busy)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(state.Workers) == 0 {
		return e.done(nil, "No aggregator takes tasks from this queue.\n")
	}
	return nil
}
