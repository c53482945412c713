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

// BenchmarkImport imports 100,000 products in requests of 1,000 lines, into an empty catalog and again, and reports what a row
// costs. ns/op is the time of the whole import.
func BenchmarkImport(b *testing.B) {
	const requests = 100
	for name, bench := range map[string]struct {
		line   func(product, iteration int) string
		before func(s *shop) // each import
	}{
		"created":   {func(p, _ int) string { return importedProduct(p) }, func(s *shop) { s.execute(`TRUNCATE catalog.products CASCADE`) }},
		"unchanged": {func(p, _ int) string { return importedProduct(p) }, func(*shop) {}},
		"prices":    {func(p, i int) string { return fmt.Sprintf(`{"sku":"SKU %06d","price_minor":%d}`, p, i+1) }, func(*shop) {}},
	} {
		b.Run(name, func(b *testing.B) {
			s := newShop(b)
			admin := s.start()
			send := func(line func(product, iteration int) string, iteration int) {
				for request := range requests {
					var lines strings.Builder
					for i := range 1000 {
						lines.WriteString(line(1000*request+i, iteration) + "\n")
					}
					if got := wantBulk(admin, lines.String(), "Content-Type: application/x-ndjson"); len(got.Errors) > 0 {
						b.Fatalf("%+v", got.Errors[0])
					}
				}
			}
			send(func(p, _ int) string { return importedProduct(p) }, 0)
			measure(b, s, "row", 1000*requests, func(i int) {
				b.StopTimer()
				bench.before(s)
				b.StartTimer()
				send(bench.line, i)
			})
		})
	}
}

// importedProduct returns a line of usual length.
func importedProduct(n int) string {
	return fmt.Sprintf(`{"sku":"SKU %06d","name":"Trail runner %d, all terrain","description":"%s","category":"category %d",`+
		`"price_minor":%d,"currency":"EUR","prices":{"USD":%d},"attributes":{"color":"green","size":%d}}`,
		n, n, strings.Repeat("Light shoe for rough ground. ", 5), n%50, 1000+n%9000, 1100+n%9000, 36+n%12)
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
			measure(b, s, "request", 1, func(i int) {
				want[bulkResult](admin, http.StatusOK, http.MethodPost, "/products/bulk", bodies[i%len(bodies)])
			})
		})
	}
	b.Run("created", func(b *testing.B) {
		s := newShop(b)
		admin := s.start()
		body := largestBulk(0)
		measure(b, s, "request", 1, func(int) {
			b.StopTimer()
			s.execute(`TRUNCATE catalog.products`)
			b.StartTimer()
			want[bulkResult](admin, http.StatusOK, http.MethodPost, "/products/bulk", body)
		})
	})
}

// measure calls run in a loop and reports the CPU time of each of units, of which every call does as many.
func measure(b *testing.B, s *shop, unit string, units int, run func(i int)) {
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
	perUnit := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N*units) }
	b.ReportMetric(perUnit(catalog), "catalog-µs/"+unit)
	b.ReportMetric(perUnit(postgres()-before), "postgres-µs/"+unit)
}
