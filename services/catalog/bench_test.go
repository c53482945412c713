package catalog_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// largestBulk returns a bulk request of as many and as long products as there may be, in version n.
func largestBulk(n int) string {
	items := make([]string, 1000)
	for i := range items {
		items[i] = document(fmt.Sprintf("P-%d", i), fmt.Sprintf(`"description":"%s"`, strings.Repeat("x", 4000)), fmt.Sprintf(`"price_minor":%d`, n))
	}
	return `{"products":[` + strings.Join(items, ",") + `]}`
}

// BenchmarkLargestBulk reports the CPU time of this process, which includes the client, and of Postgres. Unlike the wall
// clock it hardly depends on what else the machine does.
func BenchmarkLargestBulk(b *testing.B) {
	for name, version := range map[string]func(i int) int{
		"unchanged": func(int) int { return 0 },
		"updated":   func(i int) int { return i + 1 },
	} {
		b.Run(name, func(b *testing.B) {
			s := newShop(b)
			admin := s.start()
			want[bulkResult](admin, http.StatusOK, http.MethodPost, "/products/bulk", largestBulk(0))
			bodies := make([]string, 64)
			for i := range bodies {
				bodies[i] = largestBulk(version(i))
			}
			measure(b, s, func(i int) {
				want[bulkResult](admin, http.StatusOK, http.MethodPost, "/products/bulk", bodies[i%len(bodies)])
			})
		})
	}
	b.Run("created", func(b *testing.B) {
		s := newShop(b)
		admin := s.start()
		body := largestBulk(0)
		measure(b, s, func(int) {
			b.StopTimer()
			s.execute(`TRUNCATE catalog.products`)
			b.StartTimer()
			want[bulkResult](admin, http.StatusOK, http.MethodPost, "/products/bulk", body)
		})
	})
}

func measure(b *testing.B, s *shop, run func(i int)) {
	b.Helper()
	b.ReportAllocs()
	conn, err := pgx.Connect(b.Context(), string(s.postgres.URL))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context())
	postgres := func() (total time.Duration) {
		rows, err := conn.Query(b.Context(), `SELECT pid FROM pg_stat_activity WHERE application_name = 'catalog' AND datname = current_database()`)
		if err != nil {
			b.Fatal(err)
		}
		pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
		if err != nil {
			b.Fatal(err)
		}
		for _, pid := range pids {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid)) // nanoseconds on a CPU, and two more numbers
			if err != nil {
				b.Skip("needs Linux: ", err)
			}
			ns, err := strconv.ParseInt(strings.Fields(string(stat))[0], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			total += time.Duration(ns)
		}
		return total
	}
	ours := func() time.Duration {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			b.Fatal(err)
		}
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	before, i := postgres(), 0
	var catalog time.Duration
	for b.Loop() {
		start := ours()
		run(i)
		catalog += ours() - start
		i++
	}
	perRequest := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(b.N) }
	b.ReportMetric(perRequest(catalog), "catalog-ms/request")
	b.ReportMetric(perRequest(postgres()-before), "postgres-ms/request")
}
