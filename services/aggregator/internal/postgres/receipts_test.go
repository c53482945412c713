package postgres_test

import (
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// A batch that is committed after a fold has begun may still be claimed by it. Its receipt must not say that it was
// aggregated before it was received.
func TestBatchThatIsYoungerThanItsFold(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 9)
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 1, Rows: 1000}
	blocker, err := w.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer blocker.Rollback(t.Context())
	if _, err := blocker.Exec(t.Context(), `LOCK TABLE ingest.batches`); err != nil {
		t.Fatal(err)
	}
	folded := make(chan error, 1)
	go func() {
		done, err := store.Fold(t.Context())
		if err == nil && done.Batches != 1 {
			t.Errorf("folded %d batches", done.Batches)
		}
		folded <- err
	}()
	platformtest.Eventually(t, 10*time.Second, "the fold has begun", func() bool { return len(waiters(t, w.Pool)) == 1 })
	const insert = `INSERT INTO ingest.batches (project, id, kind, rows, received_at) VALUES (1, 17, 'events', 0, clock_timestamp())`
	if _, err := blocker.Exec(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	if err := blocker.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-folded; err != nil {
		t.Fatal(err)
	}
	var order bool
	const query = `SELECT received_at <= aggregated_at FROM ingest.batches`
	if err := w.Pool.QueryRow(t.Context(), query).Scan(&order); err != nil || !order {
		t.Errorf("received before aggregated: %t, %v", order, err)
	}
}
