package postgres_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/stats"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }

// mustReconcile fails the test unless a recount finds exactly the rows wanted, and no difference.
func mustReconcile(t *testing.T, pool *pgxpool.Pool, wantRows int64) {
	t.Helper()
	var out strings.Builder
	report, err := reconcile.Run(context.WithoutCancel(t.Context()), pool, reconcile.Options{Details: &out})
	if err != nil {
		t.Fatal(err)
	}
	if report.Differences != 0 || report.Rows != wantRows {
		t.Errorf("%d rows in the rollups, want %d; %d differences:\n%s", report.Rows, wantRows, report.Differences, out.String())
	}
}

func drain(ctx context.Context, s postgres.Store) error {
	for {
		if done, err := s.Fold(ctx); err != nil || done.Batches == 0 {
			return err
		}
	}
}

func TestFoldCountsEverythingOnce(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 1)
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 4, Rows: 500}
	var rows int64
	for range 100 {
		n := w.Size(40)
		w.Batch(n)
		rows += int64(n)
	}
	mustReconcile(t, store.Pool, 0) // what is pending is rightly not in the rollups
	if err := drain(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	mustReconcile(t, store.Pool, rows)
	if err := drain(t.Context(), store); err != nil { // a task that comes twice
		t.Fatal(err)
	}
	mustReconcile(t, store.Pool, rows)
	var lanes int
	if err := w.Pool.QueryRow(t.Context(), `SELECT max(lane) FROM stats.product_daily_stats`).Scan(&lanes); err != nil || lanes != 0 {
		t.Errorf("one worker alone used lane %d (%v): readers pay for lanes that nobody needed", lanes, err)
	}
}

func TestFoldKeepsItsRowBudget(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 2)
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 4, Rows: 1000}
	for range 200 {
		w.Batch(10)
	}
	done, err := store.Fold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if done.Rows != 1000 || done.Batches != 100 {
		t.Errorf("folded %d rows of %d batches, the budget is 1000", done.Rows, done.Batches)
	}
}

// However few rows batches have, a fold ends soon.
func TestFoldKeepsItsBatchBudget(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 13)
	const more = 7
	w.Backlog(postgres.FoldBatches+more, 1, 3, 5)
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 4, Rows: 1_000_000}
	for _, want := range []int{postgres.FoldBatches, more, 0} {
		if done, err := store.Fold(t.Context()); err != nil || done.Batches != want || done.Rows != want {
			t.Errorf("folded %d rows of %d batches, want %d (%v)", done.Rows, done.Batches, want, err)
		}
	}
}

// Many workers, on few hot products, killed at random moments: nothing is lost or counted twice.
func TestManyFoldersThatAreKilled(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 3)
	pool := database.Pool("hp_aggregator")
	store := postgres.Store{Pool: pool, Lanes: 8, Rows: 200}
	var rows int64
	var wg sync.WaitGroup
	written := make(chan struct{})
	var kills, folds atomic.Int64
	for i := range 6 {
		random := rand.New(rand.NewPCG(3, uint64(i)))
		wg.Go(func() {
			most := 150 * time.Millisecond // that a fold may take; follows what the machine can do, so that some are killed and some not
			for {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.Int64N(int64(most))))
				done, err := store.Fold(ctx)
				cancel()
				switch {
				case err != nil:
					kills.Add(1)
					most = min(most*5/4, 5*time.Second)
				case done.Batches > 0:
					folds.Add(1)
					most = max(most/2, 10*time.Millisecond)
				}
				if isClosed(written) {
					return
				}
			}
		})
	}
	for range 200 {
		n := w.Size(30)
		w.Batch(n)
		rows += int64(n)
	}
	close(written)
	wg.Wait()
	// Backends of killed folds hold their locks until they notice.
	platformtest.Eventually(t, 30*time.Second, "everything is folded", func() bool {
		if err := drain(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		return w.Pending() == 0
	})
	mustReconcile(t, pool, rows)
	if kills.Load() == 0 || folds.Load() < 5 {
		t.Errorf("%d folds, %d killed: the test did not test", folds.Load(), kills.Load())
	}
	t.Logf("%d folds, %d killed", folds.Load(), kills.Load())
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Folds at the same time neither wait for each other nor for the rows of each other.
func TestFoldsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 4)
	pool := database.Pool("hp_aggregator")
	for range 200 {
		w.Batch(10)
	}
	// The first fold stands still before its commit: another session holds the row that it wants to mark last.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	blocked, release := context.WithCancel(ctx)
	defer release()
	first := make(chan error, 1)
	blocker := holdDay(t, w.Pool, 0)
	go func() {
		_, err := postgres.Store{Pool: pool, Lanes: 4, Rows: 500}.Fold(blocked)
		first <- err
	}()
	platformtest.Eventually(t, 10*time.Second, "the first fold waits", func() bool {
		return len(waiters(t, w.Pool)) == 1
	})
	// The second takes another lane and other batches, on the same products, users and days, and is not held up.
	done, err := postgres.Store{Pool: pool, Lanes: 4, Rows: 500}.Fold(ctx)
	if err != nil || done.Batches == 0 {
		t.Fatalf("the second fold: %+v, %v", done, err)
	}
	// With all lanes taken there is nothing to do, which is no error.
	if done, err := (postgres.Store{Pool: pool, Lanes: 1, Rows: 500}).Fold(ctx); err != nil || !done.NoLane {
		t.Errorf("without a free lane: %+v, %v", done, err)
	}
	select {
	case err := <-first:
		t.Fatalf("the first fold did not wait: %v", err)
	default:
	}
	if err := blocker.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	if err := drain(ctx, postgres.Store{Pool: pool, Lanes: 4, Rows: 500}); err != nil {
		t.Fatal(err)
	}
	mustReconcile(t, pool, 2000)
}

// holdDay makes the rollup rows of days in a lane and keeps them locked until the transaction ends.
func holdDay(t *testing.T, pool *pgxpool.Pool, lane int) pgx.Tx {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) })
	if _, err := tx.Exec(t.Context(), `INSERT INTO stats.daily_stats (project, day, lane) SELECT 1, '2026-01-01'::date + n, $1 FROM generate_series(0, 4) n`, lane); err != nil {
		t.Fatal(err)
	}
	return tx
}

// cutTracer cuts a connection before the n-th statement from now.
type cutTracer struct {
	left atomic.Int64
	cut  atomic.Int64
}

// TraceQueryStart implements pgx.QueryTracer.
func (c *cutTracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	if c.left.Add(-1) == 0 {
		c.cut.Add(1)
		_ = conn.PgConn().Conn().Close()
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (*cutTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A worker that dies between any two statements leaves either everything or nothing.
func TestFoldCutBeforeEachStatement(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 5)
	cfg, err := pgxpool.ParseConfig(database.URL())
	if err != nil {
		t.Fatal(err)
	}
	tracer := &cutTracer{}
	cfg.ConnConfig.Tracer = tracer
	cfg.ConnConfig.RuntimeParams["role"] = "hp_aggregator"
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	store := postgres.Store{Pool: pool, Lanes: 2, Rows: 1000}
	var rows int64
	failed := 0
	for n := int64(1); ; n++ {
		w.Batch(20)
		rows += 20
		tracer.left.Store(n)
		_, err := store.Fold(t.Context())
		survived := tracer.left.Load() > 0
		tracer.left.Store(-1)
		if err != nil {
			failed++
		}
		// The backend holds its claim until it notices that nobody is there.
		platformtest.Eventually(t, 30*time.Second, "everything is folded", func() bool {
			if err := drain(t.Context(), store); err != nil {
				t.Fatal(err)
			}
			return w.Pending() == 0
		})
		mustReconcile(t, pool, rows)
		if survived {
			break
		}
	}
	if failed < 10 {
		t.Errorf("only %d statements were cut", failed)
	}
}

// Facts that a batch promises but that are gone, or are others, must not be passed over.
func TestFoldRefusesIncompleteBatches(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ damage, want string }{
		"a row more":     {`UPDATE ingest.batches SET rows = 11 WHERE id = $1`, "records 11 rows but has the facts of 10"},
		"a row fewer":    {`UPDATE ingest.batches SET rows = 9 WHERE id = $1`, "records 9 rows but has the facts of 10"},
		"no facts":       {`UPDATE ingest.batches SET facts = NULL WHERE id = $1`, "the facts of the batch are damaged: no header"},
		"half the facts": {`UPDATE ingest.batches SET facts = substring(facts FOR length(facts) - 1) WHERE id = $1`, "the facts of the batch are damaged: it ends within"},
		"other facts":    {`UPDATE ingest.batches SET facts = '\x0200' WHERE id = $1`, "the facts of the batch are damaged"},
		"no user":        {`UPDATE ingest.batches SET facts = '\x01000000010100000101' WHERE id = $1`, "an event without a user or a name"},
		"no project":     {`UPDATE ingest.batches SET project = 99 WHERE id = $1`, "there is no project 99"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := dbtest.New(t)
			w := batchtest.New(t, database, 6)
			id := w.Events(10)
			if _, err := w.Pool.Exec(t.Context(), test.damage, id); err != nil {
				t.Fatal(err)
			}
			other := w.Orders(3)
			done, err := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 1, Rows: 100}.Fold(t.Context())
			if err != nil || done.Batches != 1 || len(done.Failed) != 1 || !strings.Contains(done.Failed[0].Err.Error(), test.want) {
				t.Fatalf("Fold = %+v, %v", done, err)
			}
			var folded []int64
			if err := w.Pool.QueryRow(t.Context(), `SELECT array_agg(id) FROM ingest.batches WHERE aggregated_at IS NOT NULL`).Scan(&folded); err != nil || !slices.Equal(folded, []int64{other}) {
				t.Errorf("folded %v, %v", folded, err)
			}
		})
	}
}

// What is folded needs no facts any more, and what failed keeps them.
func TestFactsAreRemoved(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 16)
	failed := w.Events(10)
	if _, err := w.Pool.Exec(t.Context(), `UPDATE ingest.batches SET rows = 11`); err != nil {
		t.Fatal(err)
	}
	w.Events(1000) // of a size that Postgres stores apart
	w.Orders(5)
	if err := drain(t.Context(), postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 1, Rows: 10_000}); err != nil {
		t.Fatal(err)
	}
	var with []int64
	if err := w.Pool.QueryRow(t.Context(), `SELECT array_agg(id) FROM ingest.batches WHERE facts IS NOT NULL`).Scan(&with); err != nil || !slices.Equal(with, []int64{failed}) {
		t.Errorf("batches with facts: %v, %v; want %d", with, err, failed)
	}
}

func TestUpkeep(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	w := batchtest.New(t, database, 7)
	store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 1, Rows: 1000}
	old, young, pending := w.Batch(1), w.Batch(1), w.Batch(1)
	for sql, args := range map[string][]any{
		`UPDATE ingest.batches SET received_at = now() - interval '8 days', aggregated_at = now() WHERE id = $1`:                                                                  {old},
		`UPDATE ingest.batches SET aggregated_at = now() WHERE id = $1`:                                                                                                           {young},
		`UPDATE ingest.batches SET received_at = now() - interval '9 days' WHERE id = $1`:                                                                                         {pending},
		`INSERT INTO ingest.idempotency_keys VALUES (1, 'p', 'old', '', '{}', now() - interval '25 hours'), (1, 'p', 'young', '', '{}', now()), (2, 'p', 'old', '', '{}', now())`: nil,
	} {
		if _, err := w.Pool.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	backlog, err := store.Pending(t.Context())
	if err != nil || backlog.Batches != 1 || backlog.Rows != 1 || backlog.Oldest < 9*24*time.Hour {
		t.Errorf("Pending = %+v, %v", backlog, err)
	}
	if names := 0; w.Pool.QueryRow(t.Context(), `SELECT count(*) FROM ingest.names WHERE n >= $1`, stats.FirstName).Scan(&names) != nil || backlog.Names != int64(names) {
		t.Errorf("Pending counts %d names of events, want %d", backlog.Names, names)
	}
	for grace, want := range map[time.Duration]int{0: 1, 9 * 24 * time.Hour: 1, 10 * 24 * time.Hour: 0} {
		if work, err := store.Work(t.Context(), grace); err != nil || work != want {
			t.Errorf("Work(%s) = %d folds, %v; want %d", grace, work, err, want)
		}
	}
	if n, err := store.PruneBatches(t.Context(), 7*24*time.Hour); err != nil || n != 1 {
		t.Errorf("PruneBatches = %d, %v; only the old receipt may go", n, err)
	}
	if n, err := store.PruneIdempotencyKeys(t.Context(), 24*time.Hour); err != nil || n != 1 {
		t.Errorf("PruneIdempotencyKeys = %d, %v", n, err)
	}
	day := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for _, want := range []int{3, 0} {
		if made, err := store.EnsurePartitions(t.Context(), day, day.AddDate(0, 0, 14)); err != nil || made != want {
			t.Errorf("EnsurePartitions = %d, %v; want %d", made, err, want)
		}
	}
}
