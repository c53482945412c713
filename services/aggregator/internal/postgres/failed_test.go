package postgres_test

import (
	"context"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/audit"
	"github.com/hp-analytics/hp-analytics/internal/platform/errs"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/protocol/facts"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// inbox is a store, with a writer of batches that knows how many rows it wrote.
type inbox struct {
	*batchtest.Writer
	t     *testing.T
	store postgres.Store
	rows  map[int64]int64
}

func newInbox(t *testing.T, seed uint64) *inbox {
	t.Helper()
	database := dbtest.New(t)
	return &inbox{
		Writer: batchtest.New(t, database, seed), t: t, rows: map[int64]int64{},
		store: postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 4, Rows: 100_000},
	}
}

// write commits n small batches of events and returns their ids, oldest first.
func (i *inbox) write(n int) []int64 {
	ids := make([]int64, n)
	for k := range ids {
		size := i.Size(5)
		ids[k] = i.Events(size)
		i.rows[ids[k]] = int64(size)
	}
	return ids
}

// total returns the number of rows of all batches but some.
func (i *inbox) total(without ...int64) (rows int64) {
	for _, n := range i.rows {
		rows += n
	}
	for _, id := range without {
		rows -= i.rows[id]
	}
	return rows
}

func (i *inbox) exec(sql string, args ...any) {
	i.t.Helper()
	if _, err := i.Pool.Exec(context.WithoutCancel(i.t.Context()), sql, args...); err != nil {
		i.t.Fatal(err)
	}
}

// damage makes the record of a batch claim a row more than there is, and repair undoes that.
func (i *inbox) damage(batch int64) {
	i.exec(`UPDATE ingest.batches SET rows = rows + 1 WHERE id = $1`, batch)
}
func (i *inbox) repair(batch int64) {
	i.exec(`UPDATE ingest.batches SET rows = rows - 1 WHERE id = $1`, batch)
}

func (i *inbox) failed() []postgres.FailedBatch {
	i.t.Helper()
	failed, err := i.store.Failed(i.t.Context())
	if err != nil {
		i.t.Fatal(err)
	}
	return failed
}

// mustCount fails the test unless exactly the rows of all batches but some are counted.
func (i *inbox) mustCount(without ...int64) {
	i.t.Helper()
	var rows int64
	if err := i.Pool.QueryRow(i.t.Context(), `SELECT sum(events)::bigint FROM stats.daily`).Scan(&rows); err != nil {
		i.t.Fatal(err)
	}
	if want := i.total(without...); rows != want {
		i.t.Errorf("%d rows are counted, want %d", rows, want)
	}
}

// TestADamagedBatchIsSetAside folds 500 batches, one of them damaged, with one call.
func TestADamagedBatchIsSetAside(t *testing.T) {
	t.Parallel()
	i := newInbox(t, 31)
	bad := i.write(500)[333]
	i.damage(bad)
	transactions := countTransactions(i)
	done, err := i.store.Fold(t.Context())
	if err != nil || done.Batches != 499 || len(done.Failed) != 1 || done.Failed[0].Batch != bad || done.Failed[0].Attempts != 1 {
		t.Fatalf("folded %d batches, failed %+v, %v", done.Batches, done.Failed, err)
	}
	// The whole, and then both halves at each of the levels; the last batch is tried once more, alone, to be set aside.
	if most := 2 + 2*bits.Len(500-1); transactions() > most {
		t.Errorf("%d transactions, want at most %d", transactions(), most)
	}
	i.mustCount(bad)
	failed := i.failed()
	if len(failed) != 1 || failed[0].ID != bad || !strings.Contains(failed[0].Failure, "rows but has") || !failed[0].Next.After(failed[0].FailedAt) {
		t.Errorf("failed batches: %+v", failed)
	}
	backlog, err := i.store.Pending(t.Context())
	if err != nil || backlog.Batches != 0 || backlog.Oldest != 0 || backlog.FailedBatches != 1 || backlog.FailedRows != i.rows[bad]+1 {
		t.Errorf("backlog %+v, %v", backlog, err)
	}
	// While it waits, it costs nobody anything.
	if done, err := i.store.Fold(t.Context()); err != nil || done.Batches != 0 || len(done.Failed) != 0 {
		t.Errorf("folded again: %+v, %v", done, err)
	}
	if done, err := i.store.RetryFailed(t.Context()); err != nil || done.Batches != 0 || len(done.Failed) != 0 {
		t.Errorf("retried before its time: %+v, %v", done, err)
	}
}

// countTransactions returns a function that says how many transactions the store has begun since.
func countTransactions(i *inbox) func() int {
	i.t.Helper()
	config, counter := i.store.Pool.Config(), &beginCounter{}
	config.ConnConfig.Tracer = counter
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(i.t.Context()), config)
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(pool.Close)
	i.store.Pool = pool
	return func() int { return int(counter.begun.Load()) }
}

// beginCounter counts transactions.
type beginCounter struct{ begun atomic.Int64 }

// TraceQueryStart implements pgx.QueryTracer.
func (c *beginCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.HasPrefix(data.SQL, "begin") {
		c.begun.Add(1)
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (*beginCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TestARepairedBatchIsCountedOnce retries a damaged batch in vain, which doubles its pause, and then with success.
func TestARepairedBatchIsCountedOnce(t *testing.T) {
	t.Parallel()
	i := newInbox(t, 32)
	bad := i.write(20)[7]
	i.damage(bad)
	if _, err := i.store.Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	release := func() {
		t.Helper()
		if released, err := i.store.Release(audit.WithCommand(t.Context()), bad, 1<<40); err != nil || len(released) != 1 || released[0] != bad {
			t.Fatalf("released %v, %v", released, err)
		}
	}
	var pauses []time.Duration
	for attempt := 2; attempt <= 9; attempt++ {
		release()
		done, err := i.store.RetryFailed(t.Context())
		if err != nil || done.Batches != 0 || len(done.Failed) != 1 || done.Failed[0].Attempts != attempt {
			t.Fatalf("attempt %d: %+v, %v", attempt, done, err)
		}
		failed := i.failed()[0]
		pauses = append(pauses, failed.Next.Sub(failed.FailedAt).Round(time.Minute))
	}
	if pauses[0] != 2*time.Minute || pauses[1] != 4*time.Minute || pauses[7] != time.Hour {
		t.Errorf("pauses %v, want 2m, 4m and so on, up to 1h", pauses)
	}
	i.mustCount(bad)
	i.repair(bad)
	release()
	if done, err := i.store.RetryFailed(t.Context()); err != nil || done.Batches != 1 || len(done.Changed) == 0 {
		t.Errorf("retried after the repair: %+v, %v", done, err)
	}
	if err := drain(t.Context(), i.store); err != nil || len(i.failed()) != 0 {
		t.Errorf("%v; failed batches: %+v", err, i.failed())
	}
	i.mustCount()
	mustReconcile(t, i.store.Pool, i.total())
}

// TestWorkersShareDamagedBatches has several workers fold the same pending batches, some of them damaged.
func TestWorkersShareDamagedBatches(t *testing.T) {
	t.Parallel()
	i := newInbox(t, 33)
	all := i.write(300)
	bad := []int64{all[0], all[150], all[151], all[299]}
	for _, id := range bad {
		i.damage(id)
	}
	i.store.Rows = 200 // several claims
	var workers sync.WaitGroup
	for range 3 {
		workers.Go(func() {
			for i.Pending() > 0 {
				if _, err := i.store.Fold(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	i.mustCount(bad...)
	for _, f := range i.failed() {
		if f.Attempts != 1 {
			t.Errorf("batch %d has failed %d times, want once", f.ID, f.Attempts)
		}
		i.repair(f.ID)
	}
	if released, err := i.store.Release(audit.WithCommand(t.Context())); err != nil || len(released) != len(bad) {
		t.Fatalf("released %v, %v", released, err)
	}
	for range 3 {
		workers.Go(func() {
			if _, err := i.store.RetryFailed(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
	i.mustCount()
	mustReconcile(t, i.store.Pool, i.total())
}

// TestDamageOfAnyKind sets aside what the database refuses, and rollups that cannot be read.
func TestDamageOfAnyKind(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"facts lost":              `UPDATE ingest.batches SET facts = NULL WHERE id = $1`,
		"a sum that is too large": `UPDATE stats.name_daily_stats SET events = 9223372036854775807 FROM ingest.batches WHERE id = $1`,
		"a damaged sketch":        `UPDATE stats.daily_users SET sketch = '\x00ff' FROM ingest.batches WHERE id = $1`,
		"a damaged set":           `UPDATE stats.daily_user_sets SET users = '\x00ff' FROM ingest.batches WHERE id = $1`,
		"an unknown time zone":    `UPDATE stats.zones SET time_zone = 'Europe/Atlantis' FROM ingest.batches WHERE batches.id = $1`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newInbox(t, 34)
			i.write(50)
			if err := drain(t.Context(), i.store); err != nil {
				t.Fatal(err)
			}
			bad := i.write(1)[0]
			i.exec(sql, bad)
			done, err := i.store.Fold(t.Context())
			if err != nil || len(done.Failed) != 1 || done.Failed[0].Batch != bad || done.Failed[0].Project != "default" || i.Pending() != 0 {
				t.Errorf("%+v, %v, %d pending", done, err, i.Pending())
			}
			i.mustCountUnless(name == "a sum that is too large", bad)
		})
	}
}

// mustCountUnless is mustCount, unless the sums themselves were changed.
func (i *inbox) mustCountUnless(changed bool, without ...int64) {
	i.t.Helper()
	if !changed {
		i.mustCount(without...)
	}
}

// TestAmountsThatAreTooLargeAreNotAddedUp folds orders whose sum does not fit into 64 bits.
func TestAmountsThatAreTooLargeAreNotAddedUp(t *testing.T) {
	t.Parallel()
	i := newInbox(t, 37)
	good := i.write(20)
	bad := i.Orders(2)
	data := facts.AppendHeader(nil, i.First)
	for range 2 {
		data = facts.AppendLine(data, i.First, facts.Line{
			TS: i.First, User: i.Users[0], Product: i.Products[0], Currency: [3]byte([]byte("JPY")), Units: 1, AmountMinor: 5e18, First: true, FirstOf: true,
		})
	}
	i.exec(`UPDATE ingest.batches SET facts = $2 WHERE id = $1`, bad, data)
	done, err := i.store.Fold(t.Context())
	if err != nil || done.Batches != len(good) || len(done.Failed) != 1 || done.Failed[0].Batch != bad || !strings.Contains(done.Failed[0].Err.Error(), "exceeds") {
		t.Fatalf("%+v, %v", done, err)
	}
	i.mustCount(bad)
}

// TestFailuresOfTheDatabaseMarkNoBatch breaks the database in ways that concern every batch.
func TestFailuresOfTheDatabaseMarkNoBatch(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ breakIt, mend string }{
		"a missing privilege": {`REVOKE INSERT ON stats.daily_stats FROM hp_aggregator`, `GRANT INSERT ON stats.daily_stats TO hp_aggregator`},
		"a missing table":     {`ALTER TABLE stats.daily_users RENAME TO gone`, `ALTER TABLE stats.gone RENAME TO daily_users`},
		"a missing column":    {`ALTER TABLE stats.hourly_stats RENAME units TO gone`, `ALTER TABLE stats.hourly_stats RENAME gone TO units`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newInbox(t, 35)
			i.write(10)
			i.exec(test.breakIt)
			if done, err := i.store.Fold(t.Context()); err == nil || len(done.Failed) > 0 || len(i.failed()) > 0 || i.Pending() != 10 {
				t.Errorf("%+v, %v", done, err)
			}
			i.exec(test.mend)
			i.store.Pool.Reset() // prepared statements name the old columns
			if err := drain(t.Context(), i.store); err != nil {
				t.Fatal(err)
			}
			i.mustCount()
		})
	}
	t.Run("a lock", func(t *testing.T) {
		t.Parallel()
		i := newInbox(t, 36)
		i.write(10)
		tx, err := i.Pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `LOCK TABLE stats.daily_stats IN EXCLUSIVE MODE`); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if done, err := i.store.Fold(ctx); errs.KindOf(err) != errs.Unavailable || len(done.Failed) > 0 {
			t.Errorf("%+v, %v", done, err)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		// The server may still be ending the cancelled fold. Until then its batches are locked, and folds skip them.
		platformtest.Eventually(t, time.Minute, "all batches are folded", func() bool {
			if err := drain(t.Context(), i.store); err != nil {
				t.Fatal(err)
			}
			var waiting int
			if err := i.Pool.QueryRow(t.Context(), `SELECT count(*) FROM ingest.unfolded_batches`).Scan(&waiting); err != nil {
				t.Fatal(err)
			}
			return waiting == 0
		})
		i.mustCount()
	})
}
