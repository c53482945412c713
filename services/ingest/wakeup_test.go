package ingest_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/protocol"
	"github.com/hp-analytics/hp-analytics/services/ingest"
)

func TestOneTaskForEachBatchThatHoldsSomething(t *testing.T) {
	t.Parallel()
	redis := redistest.New(t)
	p := start(t, func(cfg *ingest.Config) { cfg.Redis = redis })
	event := view(`"id":"` + v7(time.Now()).String() + `",`)
	want := []string{
		p.post("/events", p.ingestKey, event).string("batch_id"),
		p.post("/events/bulk", p.ingestKey, bulk(view(""), view(""))).string("batch_id"),
		p.post("/purchases", p.ingestKey, twoShoes, "Idempotency-Key", "order-1").string("batch_id"),
	}
	// Nothing new, nothing to do.
	p.post("/events", p.ingestKey, event)
	p.post("/events/bulk", p.ingestKey, bulk(event, `{"type":"view","sku":"NONE","user_id":"u"}`))
	p.post("/purchases", p.ingestKey, twoShoes, "Idempotency-Key", "order-1")

	tasks, err := asynq.NewInspectorFromRedisClient(redistest.Client(t, redis)).ListPendingTasks("rollups")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, task := range tasks {
		var payload protocol.BatchReadyPayload
		if err := json.Unmarshal(task.Payload, &payload); err != nil || task.Type != "aggregate:batch" {
			t.Errorf("task %s %s: %v", task.Type, task.Payload, err)
		}
		got = append(got, payload.BatchID.String())
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
}
