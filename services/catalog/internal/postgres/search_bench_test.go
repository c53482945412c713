package postgres_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/services/catalog/internal/product"
)

// BenchmarkList reads pages of a catalog of 1,000,000 products, or 100,000 with -short, and reports the CPU time of Postgres and the
// blocks and rows that it read for each.
func BenchmarkList(b *testing.B) {
	products := 1_000_000
	if testing.Short() {
		products = 100_000
	}
	s, pool := newLargeCatalog(b, products)
	deep := &product.Position{N: int32(products / 2)}
	for _, bench := range []struct {
		name   string
		filter product.Filter
	}{
		{"all", product.Filter{}},
		{"status", product.Filter{Status: product.Archived}},
		{"category", product.Filter{Category: "category 7"}},
		{"category and status", product.Filter{Category: "category 7", Status: product.Active}},
		{"1 letter", product.Filter{Query: "s"}},
		{"1 letter, few", product.Filter{Query: "ä"}},
		{"2 letters", product.Filter{Query: "sp"}},
		{"2 letters, one product", product.Filter{Query: "yq"}},
		{"3 letters", product.Filter{Query: "run"}},
		{"word of half", product.Filter{Query: "spring"}},
		{"word of 1 in 100", product.Filter{Query: "runner"}},
		{"word of 1 in 700", product.Filter{Query: "läufer"}},
		{"word of the oldest 3 in 10", product.Filter{Query: "winter"}},
		{"two words", product.Filter{Query: "spring 308"}},
		{"word and category", product.Filter{Query: "runner", Category: "category 7", Status: product.Active}},
		{"one SKU", product.Filter{Query: "sku-456789"}},
		{"nothing", product.Filter{Query: "nothing has this"}},
	} {
		for place, after := range map[string]*product.Position{"first": nil, "deep": deep} {
			b.Run(bench.name+"/"+place, func(b *testing.B) {
				bench.filter.Project = project
				page := product.Page{Filter: bench.filter, Limit: 20, After: after}
				items := 0
				measured(b, pool, func() {
					found, _, err := s.List(b.Context(), page)
					if err != nil {
						b.Fatal(err)
					}
					items = len(found)
				})
				b.ReportMetric(float64(items), "products")
			})
		}
	}
}

// measured calls run in a loop, after a first call that reads what is not in memory, and reports what it costs Postgres.
func measured(b *testing.B, pool *pgxpool.Pool, run func()) {
	b.Helper()
	run()
	cpu, rows, blocks := processorTime(b, pool), rowsRead(b, pool), blocksRead(b, pool)
	for b.Loop() {
		run()
	}
	each := func(before, after int) float64 { return float64(after-before) / float64(b.N) }
	b.ReportMetric(float64((processorTime(b, pool)-cpu).Microseconds())/float64(b.N), "postgres-µs/op")
	b.ReportMetric(each(rows, rowsRead(b, pool)), "rows/op")
	b.ReportMetric(each(blocks, blocksRead(b, pool)), "blocks/op")
}

// blocksRead returns how many blocks of products and its indexes have been read so far, from memory or not.
func blocksRead(b *testing.B, pool *pgxpool.Pool) (blocks int) {
	b.Helper()
	const read = `SELECT heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit FROM pg_statio_user_tables WHERE relid = 'catalog.products'::regclass`
	if err := pool.QueryRow(b.Context(), read).Scan(&blocks); err != nil {
		b.Fatal(err)
	}
	return blocks
}

// processorTime returns the CPU time of the connection of pool that is used: one after another, queries take the same one.
func processorTime(b *testing.B, pool *pgxpool.Pool) time.Duration {
	b.Helper()
	var pid int
	if err := pool.QueryRow(b.Context(), `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
		b.Fatal(err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid)) // nanoseconds on a CPU, and two more numbers
	if err != nil {
		b.Skip("needs Linux: ", err)
	}
	ns, err := strconv.ParseInt(strings.Fields(string(stat))[0], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(ns)
}
