package wakeup

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
)

func TestMain(m *testing.M) { platformtest.Main(m, redistest.Stop) }

// TestEveryCallIsFollowedByATask makes calls at every moment of a waker's life, the end included: a task must be enqueued
// after each of them, which is what makes coalescing safe.
func TestEveryCallIsFollowedByATask(t *testing.T) {
	t.Parallel()
	redis := redistest.Client(t, redistest.New(t))
	inspector := asynq.NewInspectorFromRedisClient(redis)
	waker := New(tasks.NewClient(redis, time.Second), platformtest.Logger(t), prometheus.NewRegistry())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		waker.Run(ctx)
	}()
	// newest returns the batch of the task that was enqueued last, and how many there are.
	newest := func() (uuid.UUID, int) {
		found, err := inspector.ListPendingTasks(protocol.BatchReady.Queue, asynq.PageSize(1000))
		if err != nil || len(found) == 0 {
			return uuid.Nil, 0
		}
		var last uuid.UUID
		for _, task := range found { // version 7: the greatest is the newest
			var payload protocol.BatchReadyPayload
			if err := json.Unmarshal(task.Payload, &payload); err != nil {
				t.Fatal(err)
			}
			if payload.BatchID.String() > last.String() {
				last = payload.BatchID
			}
		}
		return last, len(found)
	}

	first := uuid.Must(uuid.NewV7())
	waker.Wake(first)
	platformtest.Eventually(t, 5*time.Second, "a task for the first call", func() bool {
		last, _ := newest()
		return last == first
	})
	for range 10_000 {
		waker.Wake(uuid.Must(uuid.NewV7()))
	}
	calls := time.Now()
	platformtest.Eventually(t, 5*time.Second, "a task for the crowd", func() bool { _, n := newest(); return n > 1 })
	if took := time.Since(calls); took > 2*time.Second {
		t.Errorf("the crowd waited %s", took)
	}
	if _, n := newest(); n > 10 {
		t.Errorf("10,000 calls led to %d tasks", n-1)
	}

	final := uuid.Must(uuid.NewV7())
	platformtest.Eventually(t, 5*time.Second, "no task waits", func() bool { return len(waker.waiting) == 0 })
	waker.Wake(final)
	cancel()
	<-done
	if last, _ := newest(); last != final {
		t.Errorf("the call before the stop was forgotten: the newest task is of %s, want %s", last, final)
	}
}
