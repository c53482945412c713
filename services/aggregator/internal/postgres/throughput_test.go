package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// contention is what the workers of a database did to each other.
type contention struct {
	samples   int            // how often it was looked
	waits     map[string]int // samples of a backend that waits for a lock, by what is locked
	deadlocks int64
}

// between returns the waits of workers for each other. Growing a table is a lock as well, but one that has nothing to do
// with which rows are written.
func (c contention) between() (n int) {
	for what, times := range c.waits {
		if what != "extend" {
			n += times
		}
	}
	return n
}

// watch looks at the locks of a database until the function that it returns is called.
func watch(tb testing.TB, pool *pgxpool.Pool) (stop func() contention) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	seen := contention{waits: map[string]int{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		const query = `SELECT wait_event FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			rows, _ := pool.Query(ctx, query) // CollectRows returns its error
			events, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				tb.Error(err)
				return
			}
			seen.samples++
			for _, event := range events {
				seen.waits[event]++
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() contention {
		cancel()
		wg.Wait()
		const query = `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`
		if err := pool.QueryRow(context.WithoutCancel(tb.Context()), query).Scan(&seen.deadlocks); err != nil {
			tb.Error(err)
		}
		return seen
	}
}

// workerPool returns a pool with a connection for each of n workers, all of them open.
func workerPool(tb testing.TB, database *dbtest.Database, n int) *pgxpool.Pool {
	tb.Helper()
	cfg, err := pgxpool.ParseConfig(database.URL())
	if err != nil {
		tb.Fatal(err)
	}
	cfg.MaxConns = int32(n)
	cfg.ConnConfig.RuntimeParams["role"], cfg.ConnConfig.RuntimeParams["timezone"] = "hp_aggregator", "UTC"
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(tb.Context()), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	var conns []*pgxpool.Conn
	for range n {
		conn, err := pool.Acquire(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		conn.Release()
	}
	return pool
}

// drainWith folds with n workers until none finds anything.
func drainWith(ctx context.Context, store postgres.Store, n int) error {
	group, ctx := errgroup.WithContext(ctx)
	for range n {
		group.Go(func() error { return drain(ctx, store) })
	}
	return group.Wait()
}

// Eight workers on three products and five users fold into the same days: each in its lane, so no worker waits for another's
// rows. Postgres itself can make a claim wait: SKIP LOCKED skips a locked row, but not the lock on a newer version of it that
// another claim took in passing (heap_lock_updated_tuple in heapam.c). That is rare. Without lanes, most samples see a wait.
func TestWorkersOnHotProductsDoNotWait(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 12)
	w.Backlog(400, 40, 3, 5)
	store := postgres.Store{Pool: workerPool(t, database, 8), Lanes: 8, Rows: 200}
	stop := watch(t, w.Pool)
	err := drainWith(t.Context(), store, 8)
	seen := stop()
	if err != nil {
		t.Fatal(err)
	}
	if seen.between() > seen.samples/10 || seen.deadlocks > 0 || seen.samples < 10 {
		t.Errorf("waits for locks in %d samples: %v; %d deadlocks", seen.samples, seen.waits, seen.deadlocks)
	}
	mustReconcile(t, store.Pool, 400*40)
	var lanes int
	if err := w.Pool.QueryRow(t.Context(), `SELECT count(DISTINCT lane) FROM stats.daily_stats`).Scan(&lanes); err != nil || lanes < 4 {
		t.Errorf("%d lanes were used (%v): the workers did not work at the same time", lanes, err)
	}
}

// BenchmarkDrain folds a backlog on three products and five users with 1 to 8 workers. It reports the rate, and how many
// waits for locks were seen: those between workers, and those for room in a table.
func BenchmarkDrain(b *testing.B) {
	for _, load := range []struct{ batches, rows, budget int }{
		{400, 500, 5_000},
		{30_000, 1, 1_000},
		{100_000, 1, 50_000},
	} {
		for _, workers := range []int{1, 2, 4, 8} {
			b.Run(fmt.Sprintf("batches=%d/rows=%d/budget=%d/workers=%d", load.batches, load.rows, load.budget, workers), func(b *testing.B) {
				var took time.Duration
				var between, extend, deadlocks float64
				for b.Loop() {
					b.StopTimer()
					database := dbtest.New(b)
					w := batchtest.New(b, database, 10)
					w.Backlog(load.batches, load.rows, 3, 5)
					store := postgres.Store{Pool: workerPool(b, database, workers), Lanes: 16, Rows: load.budget}
					stop := watch(b, w.Pool)
					begin := time.Now()
					b.StartTimer()
					err := drainWith(b.Context(), store, workers)
					b.StopTimer()
					took += time.Since(begin)
					seen := stop()
					if err != nil || w.Pending() > 0 {
						b.Fatalf("%d batches pend, %v", w.Pending(), err)
					}
					between += float64(seen.between())
					extend += float64(seen.waits["extend"])
					deadlocks += float64(seen.deadlocks)
					b.StartTimer()
				}
				b.ReportMetric(float64(b.N*load.batches*load.rows)/took.Seconds(), "rows/s")
				b.ReportMetric(between, "lock-waits")
				b.ReportMetric(extend, "extend-waits")
				b.ReportMetric(deadlocks, "deadlocks")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
