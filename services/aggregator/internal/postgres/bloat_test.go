package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	platformpostgres "github.com/hp-analytics/hp-analytics/internal/platform/postgres"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// hot are the tables that folds update all the time. Sketches stop changing once they have seen most users.
var hot = []string{
	"stats.product_daily_stats", "stats.product_hourly_stats", "stats.product_name_daily_stats", "stats.name_daily_stats", "stats.name_hourly_stats",
	"stats.user_daily_stats", "stats.hourly_stats", "stats.daily_stats", "stats.product_daily_revenue", "stats.user_daily_revenue",
	"stats.hourly_revenue", "stats.daily_revenue",
}

// sizes returns the bytes on disk of the tables that folds write, indexes included.
func sizes(t *testing.T, w *batchtest.Writer) map[string]int64 {
	t.Helper()
	size := map[string]int64{}
	for _, table := range append([]string{"stats.product_daily_users", "stats.name_daily_users", "stats.daily_users", "stats.daily_user_sets"}, hot...) {
		var bytes int64
		if err := w.Pool.QueryRow(t.Context(), `SELECT pg_total_relation_size($1::regclass)`, table).Scan(&bytes); err != nil {
			t.Fatal(err)
		}
		size[table] = bytes
	}
	return size
}

// Folds update the same rows again and again. That must grow neither tables nor indexes, and the updates must stay out of
// the indexes (HOT). Vacuum runs by hand, as often as autovacuum would (2 % and 1,000 dead rows).
//
// The test has a server of its own. An update is HOT when its page has room, and the room comes from pruning versions
// that nobody can see. The oldest transaction with an xid, in any database of the server, is part of every snapshot, so a
// writer of another database that stays open keeps these versions: beside one that held a transaction for a second at a
// time, 77 % of the updates of stats.product_daily_stats were HOT, and 100 % without it. Other tests of this package are
// such writers, and the slower the machine, the longer their transactions last.
func TestTablesStayFlat(t *testing.T) {
	t.Parallel()
	server := dbtest.StartServer(t)
	open := func(role string) *pgxpool.Pool {
		t.Helper()
		pool, err := platformpostgres.Open(t.Context(), server.Config(), role, "test", nil,
			platformpostgres.Setting{Name: "synchronous_commit", Value: "off"}) // 1,200 commits need not wait for the disk
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		return pool
	}
	w := batchtest.NewOn(t, open(""), 13)
	pool := open("hp_aggregator")
	store := postgres.Store{Pool: pool, Lanes: 1, Rows: 1000}
	const folds, vacuumEvery = 600, 20
	var third map[string]int64
	for n := range folds {
		w.Batch(20)
		if err := drain(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		if n%vacuumEvery == 0 {
			vacuum(t, w)
		}
		if n == folds/3 {
			third = sizes(t, w)
		}
	}
	vacuum(t, w)
	for table, size := range sizes(t, w) {
		t.Logf("%s: %d bytes after a third, %d at the end", table, third[table], size)
		if grown := size - third[table]; grown > third[table]/4+4*8192 {
			t.Errorf("%s grew by %d bytes from %d, though its rows stayed the same", table, grown, third[table])
		}
	}
	pool.Close() // sessions report their statistics when they end
	platformtest.Eventually(t, 30*time.Second, "the statistics are complete", func() bool {
		updated, _ := updates(t, w, "stats.daily_stats")
		return updated >= folds
	})
	marked, inPage := updates(t, w, "ingest.batches")
	t.Logf("ingest.batches: %d of %d updates were HOT; they leave the index of pending batches, so none can be", inPage, marked)
	for _, table := range hot {
		updated, inPage := updates(t, w, table)
		t.Logf("%s: %d of %d updates were HOT", table, inPage, updated)
		if float64(inPage) < 0.9*float64(updated) {
			t.Errorf("%s: only %d of %d updates stayed out of the indexes", table, inPage, updated)
		}
	}
}

func vacuum(t *testing.T, w *batchtest.Writer) {
	t.Helper()
	for table := range sizes(t, w) {
		if _, err := w.Pool.Exec(t.Context(), `VACUUM `+table); err != nil {
			t.Fatal(err)
		}
	}
}

func updates(t *testing.T, w *batchtest.Writer, table string) (all, inPage int64) {
	t.Helper()
	const query = `SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = $1::regclass`
	if err := w.Pool.QueryRow(t.Context(), query, table).Scan(&all, &inPage); err != nil {
		t.Fatal(err)
	}
	return all, inPage
}

// BenchmarkClaimBesideLongReader folds one small batch at a time while a reader keeps a snapshot from before many folds:
// the dead entries of their batches stay in the index of pending batches until the reader ends.
func BenchmarkClaimBesideLongReader(b *testing.B) {
	for _, folded := range []int{0, 10_000, 50_000} {
		b.Run(fmt.Sprintf("%d folded since", folded), func(b *testing.B) {
			database := dbtest.New(b)
			w := batchtest.New(b, database, 14)
			reader, err := w.Pool.BeginTx(b.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
			if err != nil {
				b.Fatal(err)
			}
			defer reader.Rollback(context.WithoutCancel(b.Context()))
			if _, err := reader.Exec(b.Context(), `SELECT count(*) FROM ingest.batches`); err != nil {
				b.Fatal(err)
			}
			const write = `INSERT INTO ingest.batches (project, id, kind, rows) SELECT 1, n, 'events', 0 FROM generate_series(1, $1::int) n`
			for _, sql := range []string{write, `UPDATE ingest.batches SET aggregated_at = now() WHERE $1::int >= 0`} {
				if _, err := w.Pool.Exec(b.Context(), sql, folded); err != nil {
					b.Fatal(err)
				}
			}
			store := postgres.Store{Pool: database.Pool("hp_aggregator"), Lanes: 1, Rows: 1000}
			for b.Loop() {
				b.StopTimer()
				w.Batch(1)
				b.StartTimer()
				if err := drain(b.Context(), store); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
