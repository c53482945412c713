package rebuild_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
)

var dayPattern = regexp.MustCompile(`\d{4}-\d\d-\d\d`)

// daysOf lists the days that differences name.
func daysOf(out string) []string {
	days := dayPattern.FindAllString(out, -1)
	slices.Sort(days)
	return slices.Compact(days)
}

// waiting returns how many sessions wait for a lock on the rollups.
func (b *books) waiting() int {
	return b.count(`SELECT count(*) FROM pg_locks WHERE NOT granted AND relation::regclass::text LIKE 'stats.%' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
}

// begin starts a transaction that holds the rollups as a fold in progress does.
func (b *books) begin() pgx.Tx {
	b.t.Helper()
	tx, err := b.Pool.Begin(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(b.t.Context())) })
	if _, err := tx.Exec(b.t.Context(), `LOCK TABLE stats.product_daily_stats IN ROW EXCLUSIVE MODE`); err != nil {
		b.t.Fatal(err)
	}
	return tx
}

// What is folded between the counting and the swap is counted, and once: batches that pended when the counting began,
// batches that came since, and a batch whose receipt is gone by then.
func TestFoldedWhileCounting(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.write(5)
	folding := b.begin()
	var report rebuild.Report
	done := make(chan error, 1)
	go func() {
		var err error
		report, err = rebuild.Run(t.Context(), b.pool, b.options())
		done <- err
	}()
	platformtest.Eventually(t, 30*time.Second, "the swap waits", func() bool { return b.waiting() > 0 })
	b.write(5)
	late := b.count(`SELECT sum(n) FROM (
		SELECT count(*) AS n FROM ingest.events e JOIN ingest.batches b ON b.id = e.batch WHERE b.aggregated_at IS NULL AND e.ts < '2026-01-02'
		UNION ALL
		SELECT sum(e.lines) FROM ingest.orders e JOIN ingest.batches b ON b.id = e.batch WHERE b.aggregated_at IS NULL AND e.ts < '2026-01-02'
		UNION ALL
		SELECT sum(e.lines) FROM ingest.refunds e JOIN ingest.batches b ON b.id = e.batch WHERE b.aggregated_at IS NULL AND e.ts < '2026-01-02') AS parts`)
	b.fold() // waits behind the waiting swap, but no longer than the swap's lock timeout
	b.exec(`DELETE FROM ingest.batches WHERE id = (SELECT id FROM ingest.batches ORDER BY id OFFSET 42 LIMIT 1)`)
	if err := folding.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := report.Done[0].Late; got != int64(late) || late == 0 {
		t.Errorf("%d late rows on the first day, want %d", got, late)
	}
	b.mustBeRight()
}

// An old transaction that is still open makes every fold after it look younger than the snapshot. Those that the snapshot
// has counted must not be counted again.
func TestFoldedBehindAnOldTransaction(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	old, err := b.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer old.Rollback(context.WithoutCancel(t.Context()))
	if _, err := old.Exec(t.Context(), `SELECT pg_current_xact_id()`); err != nil {
		t.Fatal(err)
	}
	b.write(5)
	b.fold()
	for _, d := range b.rebuild().Done {
		if d.Late != 0 {
			t.Errorf("%s: %d rows came late, though all were folded before", d.Day, d.Late)
		}
	}
	b.mustBeRight()
}

// Folds wait for a swap and readers do not; what a reader sees is from before or after it.
func TestFoldsWaitForTheSwapAndReadersDoNot(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.exec(`UPDATE stats.daily_stats SET events = events + 1000 WHERE lane = 0`)
	// The swap stands still at its end: somebody holds its record.
	record := b.begin()
	if _, err := record.Exec(t.Context(), `LOCK TABLE stats.rebuild_days IN SHARE MODE`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := rebuild.Run(t.Context(), b.pool, rebuild.Options{From: b.day(0), To: b.day(0)})
		done <- err
	}()
	platformtest.Eventually(t, 30*time.Second, "the swap waits for folds", func() bool { return b.waiting() == 1 })
	if _, err := record.Exec(t.Context(), `ROLLBACK; BEGIN; LOCK TABLE stats.rebuild_days IN SHARE MODE`); err != nil {
		t.Fatal(err)
	}
	platformtest.Eventually(t, 30*time.Second, "the swap waits for its record", func() bool {
		return b.count(`SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'stats.rebuild_days'::regclass`) == 1
	})
	const sum = `SELECT sum(events) FROM stats.daily`
	before := b.count(sum)
	b.write(5)
	folded := make(chan error, 1)
	go func() {
		_, err := b.store.Fold(t.Context())
		folded <- err
	}()
	platformtest.Eventually(t, 30*time.Second, "a fold waits", func() bool {
		return b.count(`SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'stats.product_daily_stats'::regclass AND mode = 'RowExclusiveLock'`) == 1
	})
	if now := b.count(sum); now != before {
		t.Errorf("a reader sees %d events while the swap is on its way, before it was %d", now, before)
	}
	if err := record.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]chan error{"rebuild": done, "fold": folded} {
		if err := <-c; err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	b.fold()
	out, rows := b.differences()
	if rows != b.rows || slices.Contains(daysOf(out), "2026-01-01") || !strings.Contains(out, "2026-01-02") {
		t.Errorf("%d rows, want %d; only the first day must be right:\n%s", rows, b.rows, out)
	}
}

// cutTracer cuts a connection before the n-th statement from now, apart from the release of the lock, which comes after the result
// is known.
type cutTracer struct{ left atomic.Int64 }

// TraceQueryStart implements pgx.QueryTracer.
func (c *cutTracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, statement pgx.TraceQueryStartData) context.Context {
	if !strings.Contains(statement.SQL, "pg_advisory_unlock_all") && c.left.Add(-1) == 0 {
		_ = conn.PgConn().Conn().Close()
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (*cutTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// tracedPool is a pool like the command's whose connections a tracer sees.
func (b *books) tracedPool(tracer pgx.QueryTracer) *pgxpool.Pool {
	b.t.Helper()
	cfg, err := pgxpool.ParseConfig(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	cfg.ConnConfig.Tracer = tracer
	cfg.ConnConfig.RuntimeParams["role"] = "hp_aggregator"
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	pool, err := pgxpool.NewWithConfig(b.t.Context(), cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(pool.Close)
	return pool
}

// work ingests, folds and reads until the context ends, at least once.
func (b *books) work(ctx context.Context) error {
	// A mix of old and new would not add up.
	const query = `SELECT (SELECT sum(events) FROM stats.daily WHERE day = $1) <> (SELECT sum(events) FROM stats.name_daily WHERE day = $1)`
	for first := true; first || ctx.Err() == nil; first = false {
		b.write(1)
		if _, err := b.store.Fold(b.t.Context()); err != nil {
			return err
		}
		var mixed bool
		if err := b.Pool.QueryRow(b.t.Context(), query, b.First).Scan(&mixed); err != nil || mixed {
			return fmt.Errorf("mixed: %t, %w", mixed, err)
		}
	}
	return nil
}

// A rebuild that dies between any two statements leaves rollups as right as they were, while folds go on and readers read.
// The next one is not held up by it.
func TestRebuildCutBeforeEachStatement(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	tracer := &cutTracer{}
	pool := b.tracedPool(tracer)
	options := rebuild.Options{From: b.day(0), To: b.day(0), Restart: true}
	cuts := 0
	for n, survived := int64(1), false; !survived; n++ {
		ctx, stop := context.WithCancel(t.Context())
		worked := make(chan error, 1)
		go func() { worked <- b.work(ctx) }()
		platformtest.Eventually(t, 30*time.Second, "the backend of the last one is gone", func() bool {
			tracer.left.Store(n)
			_, err := rebuild.Run(t.Context(), pool, options)
			survived = tracer.left.Load() > 0
			if survived && err != nil && !errors.Is(err, rebuild.ErrRunning) || !survived && err == nil {
				t.Errorf("before statement %d: cut: %t, %v", n, !survived, err)
			}
			return !errors.Is(err, rebuild.ErrRunning)
		})
		tracer.left.Store(-1)
		stop()
		if err := <-worked; err != nil {
			t.Error(err)
		}
		if !survived {
			cuts++
		}
		if b.mustBeRight(); t.Failed() {
			t.Fatalf("cut before statement %d", n)
		}
	}
	if cuts < 30 {
		t.Errorf("only %d statements were cut", cuts)
	}
	t.Logf("%d cuts, %d rows", cuts, b.rows)
}
