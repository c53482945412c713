package rebuild_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/internal/locks"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop, redistest.Stop) }

// books are rollups of five days with the rows behind them.
type books struct {
	t     *testing.T
	url   string
	pool  *pgxpool.Pool // as the command uses it
	store postgres.Store
	*batchtest.Writer
	rows int64
}

// newBooks returns rollups of 40 batches in two lanes.
func newBooks(t *testing.T) *books {
	t.Helper()
	database := dbtest.New(t)
	pool := database.Pool("hp_aggregator")
	b := &books{t: t, url: database.URL(), pool: pool, store: postgres.Store{Pool: pool, Lanes: 4, Rows: 300}, Writer: batchtest.New(t, database, 17)}
	b.write(20)
	b.fold()
	other, err := b.Pool.Begin(t.Context()) // another worker has lane 0
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(t.Context(), `SELECT pg_advisory_xact_lock($1, $2)`, locks.Lane(0).Class(), locks.Lane(0).ID()); err != nil {
		t.Fatal(err)
	}
	b.write(20)
	b.fold()
	if err := other.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// write commits batches, which then pend.
func (b *books) write(batches int) {
	b.t.Helper()
	for range batches {
		n := b.Size(30)
		b.Batch(n)
		b.rows += int64(n)
	}
}

// fold folds all that pends.
func (b *books) fold() {
	b.t.Helper()
	for b.Pending() > 0 {
		if _, err := b.store.Fold(b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
	}
}

// day returns the nth day that has rows, from 0.
func (b *books) day(n int) localtime.Day { return localtime.DayOfDate(b.First) + localtime.Day(n) }

func (b *books) options() rebuild.Options {
	return rebuild.Options{From: b.day(0), To: b.day(b.Days - 1)}
}

func (b *books) rebuild() rebuild.Report {
	b.t.Helper()
	return b.rebuildWith(b.options())
}

func (b *books) rebuildWith(o rebuild.Options) rebuild.Report {
	b.t.Helper()
	report, err := rebuild.Run(b.t.Context(), b.pool, o)
	if err != nil {
		b.t.Fatal(err)
	}
	return report
}

// differences recounts everything and returns what is wrong, and how many rows are in the rollups.
func (b *books) differences() (string, int64) {
	b.t.Helper()
	var out strings.Builder
	report, err := reconcile.Run(context.WithoutCancel(b.t.Context()), b.pool, reconcile.Options{Details: &out})
	if err != nil {
		return err.Error(), 0 // a sketch that cannot be read
	}
	return out.String(), report.Rows
}

// mustBeRight fails the test unless every row is in the rollups once.
func (b *books) mustBeRight() {
	b.t.Helper()
	if out, rows := b.differences(); out != "" || rows != b.rows {
		b.t.Errorf("%d rows in the rollups, want %d; differences:\n%s", rows, b.rows, out)
	}
}

func (b *books) exec(sql string, args ...any) int64 {
	b.t.Helper()
	tag, err := b.Pool.Exec(b.t.Context(), sql, args...)
	if err != nil {
		b.t.Fatal(err)
	}
	return tag.RowsAffected()
}

func (b *books) count(query string, args ...any) (n int) {
	b.t.Helper()
	if err := b.Pool.QueryRow(b.t.Context(), query, args...).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}
