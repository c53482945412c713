package postgres_test

import (
	"context"
	"testing"

	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// A fold beside another one claims elsewhere than at the oldest batches, which the other one has locked; but nothing that
// pends is left over because of where it began.
func TestClaimsBeginApart(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 15)
	w.Backlog(100, 1, 3, 5)
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 2, Rows: 10}
	other, err := w.Pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Release()
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := other.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	// fold folds, and returns how many batches pend that are older than the oldest that it has claimed.
	fold := func() (before int) {
		t.Helper()
		if done, err := store.Fold(t.Context()); err != nil || done.Batches != 10 {
			t.Fatalf("%+v, %v", done, err)
		}
		const query = `
			SELECT count(*) FROM ingest.batches
			WHERE aggregated_at IS NULL AND id < (
				SELECT id FROM ingest.batches WHERE aggregated_at = (SELECT max(aggregated_at) FROM ingest.batches) ORDER BY id LIMIT 1)`
		if err := w.Pool.QueryRow(t.Context(), query).Scan(&before); err != nil {
			t.Fatal(err)
		}
		return before
	}
	lane := locks.Lane(0)
	exec(`SELECT pg_advisory_lock($1, $2)`, lane.Class(), lane.ID())
	if n := fold(); n < 40 || n > 60 {
		t.Errorf("%d of 100 batches are older than what the second lane began with, want about half", n)
	}
	exec(`SELECT pg_advisory_unlock($1, $2)`, lane.Class(), lane.ID())
	if n := fold(); n != 0 {
		t.Errorf("%d batches are older than what the first lane began with", n)
	}
	exec(`SELECT pg_advisory_lock($1, $2)`, lane.Class(), lane.ID())
	store.Rows = 1000
	if done, err := store.Fold(t.Context()); err != nil || done.Batches != 80 {
		t.Errorf("a fold with room for all claims %d of 80 batches, %v", done.Batches, err)
	}
	exec(`SELECT pg_advisory_unlock($1, $2)`, lane.Class(), lane.ID())
}

// A claim that meets nothing but locked batches reads many pages, because few batches of many rows fit its budget. It claims
// nothing, and it is no error.
func TestClaimPassesManyLockedBatches(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 15)
	w.Backlog(200, 10, 3, 5)
	other, err := w.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := other.Exec(t.Context(), `SELECT FROM ingest.batches FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 2, Rows: 40}
	if done, err := store.Fold(t.Context()); err != nil || done.Batches != 0 {
		t.Errorf("fold beside locked batches: %+v, %v", done, err)
	}
}

// A claim ends with the page in which its facts fill their share of the memory, however many rows it may still claim.
func TestClaimIsBoundedByItsFacts(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 17)
	const first, all = 128, 200
	w.Backlog(all, 1, 3, 5)
	// More than 8 MiB are in the first page. Nothing can be folded then, so each batch of the claim is set aside.
	if _, err := w.Pool.Exec(t.Context(), `UPDATE ingest.batches SET facts = facts || decode(repeat('00', 70 << 10), 'hex')`); err != nil {
		t.Fatal(err)
	}
	done, err := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 1, Rows: 100_000}.Fold(t.Context())
	if err != nil || len(done.Failed) != first || w.Pending() != all-first {
		t.Errorf("%d batches failed, %d pend, %v; want a claim of %d", len(done.Failed), w.Pending(), err, first)
	}
}
