package redis

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hibiken/asynq"

	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
)

// Queue is the queue of wake-up tasks, which aggregators work off.
type Queue struct {
	Client    *platformredis.Client
	Inspector *asynq.Inspector // on Client
}

// State is what Redis says of the queue.
type State struct {
	Name    string
	Info    asynq.QueueInfo     // zero if no task was enqueued since Redis was last wiped
	Workers []*asynq.ServerInfo // that sent a sign of life lately
	Redis   string              // version of the server
}

// State reads the queue. Asynq takes no context: the timeouts of the client bound each command.
func (q Queue) State(ctx context.Context) (State, error) {
	info, err := q.Client.Info(ctx, "server").Result()
	if err != nil {
		return State{}, fmt.Errorf("ask Redis for its version: %w", err)
	}
	name, err := q.Client.Queue(ctx, protocol.BatchReady.Queue)
	if err != nil {
		return State{}, fmt.Errorf("name the queue: %w", err)
	}
	state := State{Name: name, Redis: version(info)}
	known, err := q.Inspector.Queues()
	if err != nil {
		return State{}, fmt.Errorf("list the queues: %w", err)
	}
	if slices.Contains(known, name) {
		info, err := q.Inspector.GetQueueInfo(name)
		if err != nil {
			return State{}, fmt.Errorf("inspect the queue: %w", err)
		}
		state.Info = *info
	}
	servers, err := q.Inspector.Servers()
	if err != nil {
		return State{}, fmt.Errorf("list the workers: %w", err)
	}
	for _, server := range servers {
		if _, ours := server.Queues[name]; ours {
			state.Workers = append(state.Workers, server)
		}
	}
	return state, nil
}

// version returns the version of the server from its section of INFO.
func version(info string) string {
	for line := range strings.Lines(info) {
		if version, ok := strings.CutPrefix(line, "redis_version:"); ok {
			return strings.TrimSpace(version)
		}
	}
	return ""
}
