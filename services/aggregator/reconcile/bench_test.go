package reconcile_test

import (
	"flag"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/internal/localtime"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
	"github.com/hp-analytics/hp-analytics/services/aggregator/reconcile"
)

var (
	benchEvents   = flag.Int("events", 200_000, "how many events BenchmarkReconcile recounts")
	benchDays     = flag.Int("days", 30, "over how many days the events of BenchmarkReconcile are spread")
	benchProducts = flag.Int("products", 1000, "how many products the events of BenchmarkReconcile are about")
	benchUsers    = flag.Int("users", 100_000, "how many users the events of BenchmarkReconcile are of")
)

// rebuiltDays is how many days BenchmarkReconcile rebuilds at most.
const rebuiltDays = 5

// BenchmarkReconcile recounts many events of 1,000 products and 100,000 users, and rebuilds some of the days:
//
//	go test -run '^$' -bench Reconcile -benchtime 1x -timeout 1h ./services/aggregator/reconcile -args -events 10000000 -days 30
//
// What takes most memory is a day of as many users and products as rows: -events 1000000 -days 1 -products 100000 -users 1000000.
//
// cpu-µs/event is the CPU time of this process and Postgres together, which does not depend on what else the machine does.
// peak-MiB is the most memory that this process had in the meantime, temp-MiB what Postgres wrote to temporary files.
func BenchmarkReconcile(b *testing.B) {
	database := dbtest.New(b)
	w := batchtest.New(b, database, 21)
	w.Days = *benchDays
	w.Partitions(w.First, w.Days)
	begin := time.Now()
	events := w.Fill(*benchEvents, *benchProducts, *benchUsers)
	b.Logf("filled in %s", time.Since(begin).Round(time.Second))
	begin = time.Now()
	pool := database.Pool("hp_aggregator")
	for w.Pending() > 0 {
		if _, err := (postgres.Store{Pool: pool, Lanes: 2, Rows: 50_000}).Fold(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("folded in %s", time.Since(begin).Round(time.Second))
	if _, err := w.Pool.Exec(b.Context(), `VACUUM ANALYZE ingest.batches`); err != nil { // as autovacuum has by then
		b.Fatal(err)
	}
	temp := tempBytes(b, w)
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // forget the peak of the folds
	cpu := cpuTime(b, w)
	b.ResetTimer()
	for range b.N {
		report, err := reconcile.Run(b.Context(), pool, reconcile.Options{Details: b.Output()})
		if err != nil || report.Differences != 0 || report.Rows != int64(events) {
			b.Fatalf("%+v, %v; want %d rows", report, err, events)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((cpuTime(b, w)-cpu).Microseconds())/float64(b.N)/float64(events), "cpu-µs/event")
	b.ReportMetric(peakMiB(b), "peak-MiB")
	b.ReportMetric(float64(tempBytes(b, w)-temp)/float64(b.N)/(1<<20), "temp-MiB")

	first, last := localtime.DayOfDate(w.First), localtime.DayOfDate(w.First)+localtime.Day(min(w.Days, rebuiltDays)-1)
	cpu = cpuTime(b, w)
	var rebuilding, rows int64
	report, err := rebuild.Run(b.Context(), pool, rebuild.Options{From: first, To: last, Done: func(d rebuild.Day) {
		rows += d.Rows
		rebuilding = (cpuTime(b, w) - cpu).Microseconds() // its session ends when it returns
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(rebuilding)/float64(rows), "rebuild-cpu-µs/event")
	b.Logf("rebuilt a day: %+v", report.Done[0])
}

// cpuTime is the CPU time of this process and of all sessions of the database, or 0 where the kernel does not tell it.
func cpuTime(b *testing.B, w *batchtest.Writer) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	total := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	var pids []int
	if err := w.Pool.QueryRow(b.Context(), `SELECT array_agg(pid) FROM pg_stat_activity WHERE datname = current_database()`).Scan(&pids); err != nil {
		b.Fatal(err)
	}
	for _, pid := range pids {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/schedstat")
		if err != nil {
			return 0
		}
		onCPU, _, _ := strings.Cut(string(stat), " ")
		n, err := strconv.ParseInt(onCPU, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		total += time.Duration(n)
	}
	return total
}

// peakMiB is the peak of the memory of this process.
func peakMiB(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0 // not Linux
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}

// tempBytes is what Postgres has written to temporary files for this database. Sessions report it when they are idle.
func tempBytes(b *testing.B, w *batchtest.Writer) (n int64) {
	b.Helper()
	if err := w.Pool.QueryRow(b.Context(), `SELECT temp_bytes FROM pg_stat_database WHERE datname = current_database()`).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}
