package ingest_test

import (
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
	client := redistest.Client(t, redis)
	inspector, queue := asynq.NewInspectorFromRedisClient(client), redistest.Queue(t, client, protocol.BatchReady.Queue)
	pending := func() int {
		info, err := inspector.GetQueueInfo(queue)
		if err != nil {
			return 0 // there is no queue before its first task
		}
		return info.Pending
	}
	for name, write := range map[string]func() answer{
		"event":    func() answer { return p.post("/events", p.ingestKey, view("")) },
		"bulk":     func() answer { return p.post("/events/bulk", p.ingestKey, bulk(view(""), view(""))) },
		"purchase": func() answer { return p.post("/purchases", p.ingestKey, twoShoes) },
	} {
		before := pending()
		write().string("batch_id")
		platformtest.Eventually(t, time.Minute, "a task for the "+name, func() bool { return pending() == before+1 })
	}

	// Under load one task stands for many batches.
	before := pending()
	for range 101 {
		p.post("/events", p.ingestKey, view("")).expect(t, http.StatusAccepted, "")
	}
	platformtest.Eventually(t, time.Minute, "a task", func() bool { return pending() > before })
	if added := pending() - before; added > 60 {
		t.Errorf("101 batches led to %d tasks", added)
	}
}
