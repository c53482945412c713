package api

import (
	"context"
	"time"

	"github.com/hibiken/asynq"
	openapi_types "github.com/oapi-codegen/runtime/types"

	"github.com/hp-analytics/hp-analytics/internal/checkup"
	"github.com/hp-analytics/hp-analytics/internal/platform/cache"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/redis"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/system"
)

// GetSystem implements StrictServerInterface.
func (s *Server) GetSystem(ctx context.Context, _ GetSystemRequestObject) (GetSystemResponseObject, error) {
	state, err := s.System.State(ctx)
	if err != nil {
		return nil, err
	}
	return GetSystem200JSONResponse(systemAnswer(state)), nil
}

func systemAnswer(s system.State) System {
	answer := System{
		AsOf: s.At.UTC(), Findings: each(s.Findings, findingAnswer),
		Pending: SystemPending{
			Batches: s.Pending.Batches, Rows: s.Pending.Rows, OldestAt: utc(s.Pending.Oldest), Lanes: s.Lanes, Projects: each(s.Projects, backlogAnswer),
		},
		Failed:     SystemFailed{Batches: s.Failed.Batches, Rows: s.Failed.Rows, Items: each(s.Batches, batchAnswer)},
		Caches:     SystemCaches{Process: s.Caches[cache.FromProcess], Redis: s.Caches[cache.FromRedis], Shared: s.Caches[cache.Shared], Computed: s.Caches[cache.Computed]},
		Reconciles: each(s.Reconciles, reconcileAnswer),
		Erasures:   SystemErasures{Open: s.OpenErasures, Items: each(s.Erasures, erasureAnswer)}, ZoneChanges: each(s.ZoneChanges, zoneChangeAnswer),
		Storage:  SystemStorage{Bytes: s.Bytes, Tables: each(s.Tables, tableAnswer), Days: each(s.Days, dayAnswer)},
		Versions: SystemVersions{Service: service.Version(), Schema: s.Schema, Postgres: s.Postgres},
	}
	if s.Queue != nil {
		queue, workers := queueAnswer(*s.Queue), each(s.Queue.Workers, workerAnswer)
		answer.Queue, answer.Workers, answer.Versions.Redis = &queue, &workers, &s.Queue.Redis
	}
	return answer
}

// each converts the items of a list. A list without items is not null.
func each[T, A any](items []T, convert func(T) A) []A {
	answers := make([]A, 0, len(items))
	for _, item := range items {
		answers = append(answers, convert(item))
	}
	return answers
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}

func findingAnswer(f checkup.Finding) SystemFinding {
	return SystemFinding{Area: f.Area, Check: f.Check, Level: SystemFindingLevel(f.Level), Says: f.Says, Do: f.Do}
}

func backlogAnswer(b postgres.Backlog) SystemBacklog {
	return SystemBacklog{Project: b.Project, Batches: b.Batches, Rows: b.Rows, OldestAt: b.Oldest.UTC()}
}

func batchAnswer(b postgres.FailedBatch) SystemBatch {
	return SystemBatch{ID: b.ID, Project: b.Project, Kind: b.Kind, Rows: b.Rows, ReceivedAt: b.ReceivedAt.UTC(), FailedAt: b.FailedAt.UTC()}
}

func reconcileAnswer(r postgres.Reconcile) SystemReconcile {
	return SystemReconcile{Project: r.Project, FinishedAt: r.FinishedAt.UTC(), Rows: r.Rows, Days: r.Days, Differences: r.Differences}
}

func erasureAnswer(e postgres.Erasure) SystemErasure {
	return SystemErasure{ID: e.ID, Project: e.Project, State: e.State, Phase: e.Phase, RequestedAt: e.RequestedAt.UTC(), HeldBy: e.HeldBy, Failing: e.Failing}
}

func zoneChangeAnswer(c postgres.ZoneChange) SystemZoneChange {
	return SystemZoneChange{Project: c.Project, From: c.From, To: c.To, DaysDone: c.Done, DaysTotal: c.Total, StartedAt: c.StartedAt.UTC(), Failing: c.Failing}
}

func tableAnswer(t postgres.Table) SystemTable {
	return SystemTable{Name: t.Name, Bytes: t.Bytes, Rows: t.Rows}
}

func dayAnswer(d postgres.Day) SystemDay {
	return SystemDay{Day: openapi_types.Date{Time: d.Day}, Events: d.Events, Bytes: d.Bytes}
}

// queueAnswer has the backlog as the operator of the autoscaler counts it.
func queueAnswer(s redis.State) SystemQueue {
	q := s.Info
	return SystemQueue{
		Name: s.Name, Paused: q.Paused, Waiting: q.Pending, Active: q.Active, Retried: q.Retry, Archived: q.Archived, DoneToday: q.Processed,
		FailedToday: q.Failed, OldestSeconds: float32(q.Latency.Seconds()), Backlog: q.Pending + q.Active + q.Aggregating,
	}
}

func workerAnswer(w *asynq.ServerInfo) SystemWorker {
	return SystemWorker{Host: w.Host, Pid: w.PID, StartedAt: w.Started.UTC(), Status: w.Status, Concurrency: w.Concurrency, Busy: len(w.ActiveWorkers)}
}
