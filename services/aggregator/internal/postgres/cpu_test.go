package postgres_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
)

// cpu is the CPU time of this process and of a backend.
type cpu struct{ process, backend time.Duration }

// cpuOf reads the CPU times. It skips the benchmark where the kernel does not tell them.
func cpuOf(b *testing.B, backend uint32) cpu {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Skip(err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", backend))
	if err != nil {
		b.Skip(err)
	}
	var onCPU int64
	if _, err := fmt.Fscan(strings.NewReader(string(stat)), &onCPU); err != nil {
		b.Fatal(err)
	}
	return cpu{time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), time.Duration(onCPU)}
}

// BenchmarkFoldCPU folds a day of 1,000 products and 100,000 users, 50,000 rows at a time, and reports the CPU time of a row in
// this process and in Postgres. Unlike the time on the clock it does not depend on what else the machine does.
func BenchmarkFoldCPU(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		database := dbtest.New(b)
		w := batchtest.New(b, database, 9)
		w.Days = 1
		rows := w.Fill(300_000, 1000, 100_000)
		cfg, err := pgxpool.ParseConfig(database.URL())
		if err != nil {
			b.Fatal(err)
		}
		cfg.MaxConns = 1
		cfg.ConnConfig.RuntimeParams["role"] = "hp_aggregator"
		pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		var pid uint32
		if err := pool.QueryRow(b.Context(), `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
			b.Fatal(err)
		}
		store := postgres.Store{Pool: pool, Lanes: 1, Rows: 50_000, Bytes: 32 << 20}
		before := cpuOf(b, pid)
		b.StartTimer()
		if err := drain(b.Context(), store); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		after := cpuOf(b, pid)
		pool.Close()
		perRow := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(rows) }
		b.ReportMetric(perRow(after.process-before.process), "process-µs/row")
		b.ReportMetric(perRow(after.backend-before.backend), "postgres-µs/row")
		b.StartTimer()
	}
}
