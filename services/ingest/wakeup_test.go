package ingest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

func TestWritesAreFollowedByATask(t *testing.T) {
	t.Parallel()
	redis := redistest.New(t)
	p := start(t, func(cfg *ingest.Config) { cfg.Redis = redis })
	inspector := asynq.NewInspectorFromRedisClient(redistest.Client(t, redis))
	pending := func() map[string]bool {
		tasks, err := inspector.ListPendingTasks(protocol.BatchReady.Queue, asynq.PageSize(1000))
		if err != nil && !errors.Is(err, asynq.ErrQueueNotFound) {
			t.Fatal(err)
		}
		batches := map[string]bool{}
		for _, task := range tasks {
			var payload protocol.BatchReadyPayload
			if err := json.Unmarshal(task.Payload, &payload); err != nil || task.Type != "aggregate:batch" {
				t.Errorf("task %s %s: %v", task.Type, task.Payload, err)
			}
			batches[payload.BatchID.String()] = true
		}
		return batches
	}
	for name, write := range map[string]func() answer{
		"event":    func() answer { return p.post("/events", p.ingestKey, view("")) },
		"bulk":     func() answer { return p.post("/events/bulk", p.ingestKey, bulk(view(""), view(""))) },
		"purchase": func() answer { return p.post("/purchases", p.ingestKey, twoShoes) },
	} {
		batch := write().string("batch_id")
		platformtest.Eventually(t, 5*time.Second, "a task for the "+name, func() bool { return pending()[batch] })
	}

	// Under load one task stands for many batches.
	before := len(pending())
	for range 101 {
		p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "")
	}
	platformtest.Eventually(t, 5*time.Second, "a task", func() bool { return len(pending()) > before })
	if added := len(pending()) - before; added > 60 {
		t.Errorf("101 batches led to %d tasks", added)
	}
}
