package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// queueState is the state of the queue as --json prints it.
type queueState struct {
	Queue     string        `json:"queue"` // its name in Asynq
	Paused    bool          `json:"paused"`
	Pending   int           `json:"pending"`
	Active    int           `json:"active"`
	Retry     int           `json:"retry"`
	Archived  int           `json:"archived"`
	Processed int           `json:"processed_today"` // UTC; those that failed included
	Failed    int           `json:"failed_today"`
	Latency   float64       `json:"latency_seconds"` // how long the oldest pending task has waited
	Workers   []queueWorker `json:"workers"`
}

// queueWorker is a process that takes tasks from the queue.
type queueWorker struct {
	Host        string    `json:"host"`
	PID         int       `json:"pid"`
	Status      string    `json:"status"`
	Started     time.Time `json:"started"`
	Concurrency int       `json:"concurrency"`
	Busy        int       `json:"busy"` // tasks in progress
}

// state asks Asynq. A queue that it does not know is empty.
func (q queue) state() (queueState, error) {
	s := queueState{Queue: q.name, Workers: []queueWorker{}}
	if q.known {
		info, err := q.GetQueueInfo(q.name)
		if err != nil {
			return queueState{}, fmt.Errorf("inspect the queue: %w", err)
		}
		s.Paused, s.Pending, s.Active, s.Retry, s.Archived = info.Paused, info.Pending, info.Active, info.Retry, info.Archived
		s.Processed, s.Failed, s.Latency = info.Processed, info.Failed, info.Latency.Seconds()
	}
	servers, err := q.Servers()
	if err != nil {
		return queueState{}, fmt.Errorf("list the workers: %w", err)
	}
	for _, server := range servers {
		if _, ours := server.Queues[q.name]; ours {
			s.Workers = append(s.Workers, queueWorker{server.Host, server.PID, server.Status, server.Started, server.Concurrency, len(server.ActiveWorkers)})
		}
	}
	return s, nil
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
