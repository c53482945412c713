package postgres_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// waiters returns the backends of this database that wait for another one. Other tests share the server.
func waiters(t *testing.T, pool *pgxpool.Pool) (pids []int32) {
	t.Helper()
	const query = `
		SELECT coalesce(array_agg(pid), '{}')
		FROM pg_stat_activity
		WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0`
	if err := pool.QueryRow(t.Context(), query).Scan(&pids); err != nil {
		t.Fatal(err)
	}
	return pids
}

// A backend that Postgres ends in the middle of a fold takes the rollup rows that it had written, its lane and its claim
// with it.
func TestFoldWhoseBackendIsTerminated(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 8)
	pool := database.Pool("hp_aggregator")
	store := postgres.Store{Pool: pool, Lanes: 1, Rows: 1000}
	for range 10 {
		w.Batch(20)
	}
	blocker := holdDay(t, w.Pool, 0) // days are added after products, types and users
	folded := make(chan error, 1)
	go func() {
		_, err := store.Fold(t.Context())
		folded <- err
	}()
	var pids []int32
	platformtest.Eventually(t, 10*time.Second, "the fold waits", func() bool {
		pids = waiters(t, w.Pool)
		return len(pids) == 1
	})
	if _, err := w.Pool.Exec(t.Context(), `SELECT pg_terminate_backend($1)`, pids[0]); err != nil {
		t.Fatal(err)
	}
	if err := <-folded; err == nil {
		t.Error("the fold says that it succeeded")
	}
	if err := blocker.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.Pending() != 10 {
		t.Errorf("%d batches pend, want all 10", w.Pending())
	}
	mustReconcile(t, pool, 0)
	if err := drain(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	if w.Pending() != 0 {
		t.Errorf("%d batches pend still: the only lane, or a claim, is held by the dead", w.Pending())
	}
	mustReconcile(t, pool, 200)
}
