package rebuild_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/batchtest"
	"github.com/hp-analytics/hp-analytics/services/aggregator/internal/postgres"
	"github.com/hp-analytics/hp-analytics/services/aggregator/rebuild"
)

// BenchmarkMoveZone measures what a change of the time zone costs for a million raw rows of 1,000 products and 100,000 users, and for how
// much of that time folds wait. The CPU time is that of this process and Postgres together, and does not depend on what else the machine does.
func BenchmarkMoveZone(b *testing.B) {
	database := dbtest.New(b)
	pool := database.Pool("hp_aggregator")
	store := postgres.Store{Pool: pool, Lanes: 4, Rows: 50_000}
	w := batchtest.New(b, database, 17)
	w.First, w.Days = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), 30
	w.Partitions(w.First, w.Days)
	w.Fill(100_000, 1000, 100_000)
	for w.Pending() > 0 {
		if _, err := store.Fold(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	now := w.First.AddDate(0, 0, w.Days)
	zones := []string{"America/New_York", "Asia/Tokyo"}
	var took, locked time.Duration
	var moved int64
	cpu := cpuTime(b, w)
	b.ResetTimer()
	for n := range b.N {
		if _, err := w.Pool.Exec(b.Context(), `UPDATE auth.projects SET time_zone = $1 WHERE id = 1`, zones[n%2]); err != nil {
			b.Fatal(err)
		}
		for {
			step, err := rebuild.MoveZone(b.Context(), pool, "default", now, nil)
			if err != nil {
				b.Fatal(err)
			}
			took, locked, moved = took+step.Took, locked+step.Locked, moved+step.Rows
			if step.Finished {
				break
			}
		}
	}
	b.ReportMetric((cpuTime(b, w)-cpu).Seconds()*1e6/float64(moved), "cpu-s/million-rows")
	b.ReportMetric(took.Seconds()*1e6/float64(moved), "s/million-rows")
	b.ReportMetric(locked.Seconds()*1e6/float64(moved), "s-folds-wait/million-rows")
}

// ticks is how many of the units of /proc/PID/stat a second has (USER_HZ).
const ticks = 100

// cpuTime is the CPU time of this process and of all processes of the Postgres server, also those that have ended; 0 where the kernel does
// not tell it. A step ends its session, so the sessions that are there afterwards do not tell what it took.
func cpuTime(b *testing.B, w *batchtest.Writer) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	var session int
	if err := w.Pool.QueryRow(b.Context(), `SELECT pg_backend_pid()`).Scan(&session); err != nil {
		b.Fatal(err)
	}
	server := processTimes(fmt.Sprintf("/proc/%d/stat", session))[parent]
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is good
	var sum int64
	for _, file := range files {
		fields := processTimes(file)
		switch {
		case filepath.Dir(file) == fmt.Sprintf("/proc/%d", server):
			sum += fields[user] + fields[system] + fields[endedUser] + fields[endedSystem]
		case fields[parent] == server:
			sum += fields[user] + fields[system]
		}
	}
	return time.Duration(usage.Utime.Nano()+usage.Stime.Nano()) + time.Duration(sum)*time.Second/ticks
}

// The places of fields after the name in /proc/PID/stat (proc(5)).
const (
	parent, user, system, endedUser, endedSystem = 1, 11, 12, 13, 14
)

// processTimes reads the fields of a process that are numbers; all are 0 if it has ended.
func processTimes(file string) (fields [endedSystem + 1]int64) {
	content, _ := os.ReadFile(file)
	_, rest, _ := strings.Cut(string(content), ") ")
	for i, field := range strings.Fields(rest) {
		if i < len(fields) {
			fields[i], _ = strconv.ParseInt(field, 10, 64) // the state is a letter
		}
	}
	return fields
}
