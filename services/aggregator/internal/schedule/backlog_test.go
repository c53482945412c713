package schedule_test

import (
	"context"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/internal/platform/tasks"
	"github.com/hp-analytics/hp-analytics/internal/protocol"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/rollup"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/schedule"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/worker"
)

// gate lets one fold pass for each value in through and blocks the others.
type gate struct {
	postgres.Store
	through chan struct{}
}

func (g gate) Fold(ctx context.Context) (postgres.Folded, error) {
	select {
	case <-g.through:
	case <-ctx.Done():
		return postgres.Folded{}, ctx.Err()
	}
	return g.Store.Fold(ctx)
}

type nobodyCaches struct{}

func (nobodyCaches) Publish(context.Context, rollup.Changed) error { return nil }

// The queue length that the autoscaler reads is proportional to the remaining work: after Redis was wiped, when half of the
// work is done, and when nothing is left.
func TestQueueLengthFollowsTheWork(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 1)
	const batches, rows, budget = 40, 10, 20
	const folds = batches * rows / budget
	w.Backlog(batches, rows, 3, 5)
	if _, err := w.Pool.Exec(t.Context(), `UPDATE ingest.batches SET received_at = now() - interval '1 minute'`); err != nil {
		t.Fatal(err)
	}
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 4, Rows: budget}
	server := redistest.StartServer(t)
	client := redistest.Client(t, server.Config())
	q := schedule.NewAsynqQueue(client, tasks.NewClient(client, time.Second))
	work := newSchedule(t, store, q, nil)
	inspector, queue := asynq.NewInspectorFromRedisClient(client), redistest.Queue(t, client, protocol.BatchReady.Queue)
	length := func() int {
		info, err := inspector.GetQueueInfo(queue)
		if err != nil {
			return 0 // the queue does not exist
		}
		return info.Pending + info.Active
	}
	sweep := func(least, most int) {
		t.Helper()
		if err := work.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := length(); n < least || n > most {
			t.Errorf("the queue has %d tasks, want %d to %d", n, least, most)
		}
	}
	sweep(folds, folds)
	sweep(folds, folds)
	server.FlushAll()
	sweep(folds, folds)

	g := gate{Store: store, through: make(chan struct{})}
	folder := worker.New(g, nobodyCaches{}, platformtest.Logger(t), prometheus.NewRegistry())
	ctx, stop := context.WithCancel(t.Context())
	var group errgroup.Group
	group.Go(func() error {
		return worker.Run(ctx, client, folder, 1, platformtest.Deps(t).TracerProvider, platformtest.Logger(t))
	})
	defer group.Wait()
	defer stop()
	for range folds / 2 {
		g.through <- struct{}{}
	}
	platformtest.Eventually(t, 10*time.Second, "half is folded", func() bool { return w.Pending() == batches/2 && length() == folds/2 })
	sweep(folds/2, folds/2+1) // one task is in progress, and the sweeper cannot tell whether its worker is alive

	// Without workers, tasks accumulate for the same few folds.
	for range 100 {
		if err := q.Wake(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	sweep(folds/2, folds/2+1)
	server.FlushAll()
	sweep(folds/2, folds/2)

	close(g.through)
	platformtest.Eventually(t, 20*time.Second, "everything is folded and no task is left", func() bool { return w.Pending() == 0 && length() == 0 })
	sweep(0, 0)
}
