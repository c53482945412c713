package postgres

import (
	"cmp"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/stats/segment/segmenttest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

var (
	bigProducts = flag.Int("catalog.products", 2000, "products of BenchmarkBigCatalog; the goal is about 100,000")
	bigApart    = flag.Int("catalog.apart", 1, "from the number of a product to that of the next")
	bigDays     = flag.Int("catalog.days", 90, "days of BenchmarkBigCatalog")
	bigDatabase = flag.String("catalog.database", "", "URL of a migrated database that an earlier run has filled, as a superuser; empty makes one")
)

// bigCatalog is a project with rollups of many products, of which few have most of the events.
type bigCatalog struct {
	db       *pgxpool.Pool // as a superuser
	project  authn.Project
	products int
	apart    int // from the number of a product to that of the next
	last     time.Time
	days     int
}

// fill writes the products and their rollups by COPY: a popular product has rows of two lanes, a rare one not of every day.
func (c *bigCatalog) fill(tb testing.TB) {
	tb.Helper()
	random := rand.New(rand.NewPCG(7, uint64(c.products)))
	copyRows(tb, c.db, "catalog.products", []string{"id", "n", "project", "sku", "name", "category", "price_minor", "currency"}, c.products, func(i int) [][]any {
		n := i + 1
		id := [16]byte{6: 0x70, 8: 0x80}
		binary.BigEndian.PutUint32(id[12:], uint32(n))
		return [][]any{{id, int32(n * c.apart), c.project.ID, fmt.Sprintf("sku-%d", n), "Product", fmt.Sprintf("category %d", n%20), int64(100), "EUR"}}
	})
	type sale struct {
		product, day int
		lane         int16
		units        int64
	}
	var sales []sale
	day := func(d int) time.Time { return c.last.AddDate(0, 0, d+1-c.days) }
	counts := []string{"project", "product", "day", "lane", "events", "views", "clicks", "add_to_carts", "purchases", "units"}
	copyRows(tb, c.db, "stats.product_daily_stats", counts, c.days*c.products, func(i int) (rows [][]any) {
		d, n := i/c.products, i%c.products+1
		if n > c.products/5 && random.IntN(25) == 0 {
			return nil
		}
		for lane := range int16(1 + c.products/(8*n+1)%2) {
			views := 1 + int64(float64(2*c.products)/float64(n+20)*(0.5+random.Float64()))
			if bought := views / 40; bought > 0 {
				sales = append(sales, sale{n, d, lane, bought})
			}
			rows = append(rows, []any{c.project.ID, int32(n * c.apart), day(d), lane, views + views/4, views, views / 4, views / 16, views / 40, views / 40})
		}
		return rows
	})
	money := []string{"project", "product", "day", "currency", "lane", "gross_minor", "refunded_minor", "orders", "units", "refunded_units"}
	copyRows(tb, c.db, "stats.product_daily_revenue", money, len(sales), func(i int) [][]any {
		s, currency := sales[i], "EUR"
		if s.product%10 == 0 {
			currency = "USD"
		}
		amount := s.units * int64(100+s.product%900)
		return [][]any{{c.project.ID, int32(s.product * c.apart), day(s.day), currency, s.lane, amount, amount * int64(s.product%3), s.units, s.units, s.units * int64(s.product%3)}}
	})
	segmenttest.Derive(tb, c.db)
}

// copyRows copies the rows that of returns for each number below n. No statement copies so many that it takes as long as one may.
func copyRows(tb testing.TB, db *pgxpool.Pool, table string, columns []string, n int, of func(i int) [][]any) {
	tb.Helper()
	const atOnce = 50_000
	var rows [][]any
	next, end := 0, 0
	source := pgx.CopyFromFunc(func() ([]any, error) {
		for len(rows) == 0 {
			if next == end {
				return nil, nil
			}
			rows = of(next)
			next++
		}
		row := rows[0]
		rows = rows[1:]
		return row, nil
	})
	for end < n {
		end = min(end+atOnce, n)
		if _, err := db.CopyFrom(tb.Context(), strings.Split(table, "."), columns, source); err != nil {
			tb.Fatalf("fill %s: %v", table, err)
		}
	}
}

// today is the day of the catalogs, in the middle of a block of segments.
var today = time.Date(2026, 6, 10, 0, 0, 0, 0, time.UTC)

// question is a ranking with a name.
type question struct {
	name string
	ask  report.Ranking
}

// questions are rankings over a range of days.
func questions(r report.Range) []question {
	ask := func(name string, change func(q *report.Ranking)) question {
		q := report.Ranking{Range: r, Metric: report.Views, Limit: 10}
		change(&q)
		return question{name, q}
	}
	return []question{
		ask("views", func(*report.Ranking) {}),
		ask("units", func(q *report.Ranking) { q.Metric = "units" }),
		ask("net", func(q *report.Ranking) { q.Metric, q.Currency = report.Net, "EUR" }),
		ask("gross", func(q *report.Ranking) { q.Metric, q.Currency = report.Gross, "USD" }),
		ask("category", func(q *report.Ranking) { q.Category = "category 3" }),
		ask("category-net", func(q *report.Ranking) { q.Category, q.Metric, q.Currency = "category 3", report.Net, "EUR" }),
		ask("page-11", func(q *report.Ranking) { q.After = report.Place{Rank: 100, Value: 900, Key: 150} }),
	}
}

// TestRankingsAreThoseOfTheRows compares rankings over random ranges, of which some days are in blocks, some merged and some as folds
// left them, with plain SQL over the rows. The numbers of the products are neighbours, or far apart.
func TestRankingsAreThoseOfTheRows(t *testing.T) {
	t.Parallel()
	for _, apart := range []int{1, 13, 5000} {
		t.Run(fmt.Sprintf("%d apart", apart), func(t *testing.T) {
			t.Parallel()
			database := dbtest.New(t)
			c := &bigCatalog{db: database.Pool(""), project: authn.Project{ID: 1, Zone: time.UTC, Currency: "EUR"}, products: 150, apart: apart, last: today, days: 40}
			c.fill(t)
			segmenttest.Merge(t, c.db, 1, today.AddDate(0, 0, -45), today.AddDate(0, 0, -5))
			var blocks, unmerged int
			const kinds = `SELECT count(*) FILTER (WHERE days > 1), count(*) FILTER (WHERE NOT merged) FROM stats.product_segments`
			if err := c.db.QueryRow(t.Context(), kinds).Scan(&blocks, &unmerged); err != nil || blocks < 3 || unmerged < 5 {
				t.Fatalf("%d blocks, %d unmerged segments, %v", blocks, unmerged, err)
			}
			c.compare(t, New(database.Pool("hp_analytics")))
		})
	}
}

// compare asks about random ranges. Before each, some products get another category, and all their days are those of that one.
func (c *bigCatalog) compare(t *testing.T, store *Store) {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	for range 25 {
		r := report.Range{To: today.AddDate(0, 0, 2-random.IntN(40))}
		r.From = r.To.AddDate(0, 0, -random.IntN(40))
		const move = `UPDATE catalog.products SET category = CASE category WHEN 'category 3' THEN 'category 4' ELSE 'category 3' END
			WHERE category IN ('category 3', 'category 4') AND n % 7 = $1`
		if moved, err := c.db.Exec(t.Context(), move, random.IntN(7)); err != nil || moved.RowsAffected() == 0 {
			t.Fatal(moved, err)
		}
		for _, q := range questions(r) {
			top, err := store.Top(t.Context(), c.project, q.ask)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, item := range top.Items {
				got = append(got, fmt.Sprintf("%d %s %d", item.Place.Rank, item.Product.SKU, item.Place.Value))
			}
			got = append(got, fmt.Sprint(top.Totals.Counts[:], top.Totals.Revenue, top.Next != nil))
			if diff := gocmp.Diff(c.plain(t, q.ask), got); diff != "" {
				t.Errorf("%s of %s (-rows +segments):\n%s", q.name, r, diff)
			}
		}
	}
}

// plain answers a ranking by SQL over the rows: its places, and its totals and whether there are more places.
func (c *bigCatalog) plain(t *testing.T, q report.Ranking) (lines []string) {
	t.Helper()
	table, value, where := "product_daily_stats", "sum("+string(q.Metric)+")", "true"
	switch {
	case q.Metric == report.Net:
		table, value, where = "product_daily_revenue", "sum(gross_minor - refunded_minor)", "r.currency = '"+q.Currency+"'"
	case q.Metric.IsMoney():
		table, where = "product_daily_revenue", "r.currency = '"+q.Currency+"'"
	}
	of := ` JOIN catalog.products p ON p.n = product WHERE r.project = 1 AND day BETWEEN $1 AND $2 AND ($3 = '' OR category = $3)`
	places := `
		SELECT $4::int + row_number() OVER (ORDER BY value DESC, n) || ' ' || sku || ' ' || value
		FROM (SELECT n, sku, ` + value + ` AS value FROM stats.` + table + ` r` + of + ` AND ` + where + ` GROUP BY n, sku) AS ranked
		WHERE value <> 0 AND ($4 = 0 OR value < $5 OR value = $5 AND n > $6)
		ORDER BY value DESC, n LIMIT $7`
	read := func(query string, args ...any) []string {
		rows, _ := c.db.Query(t.Context(), query, args...)
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	lines = read(places, q.Range.From, q.Range.To, q.Category, q.After.Rank, q.After.Value, q.After.Key, q.Limit+1)
	more := len(lines) > q.Limit
	lines = lines[:min(q.Limit, len(lines))]
	counts := read(`SELECT concat('[', coalesce(sum(events), 0), ' ', coalesce(sum(views), 0), ' ', coalesce(sum(clicks), 0), ' ', coalesce(sum(add_to_carts), 0), ' ',
		coalesce(sum(purchases), 0), ' ', coalesce(sum(units), 0), ']') FROM stats.product_daily_stats r`+of, q.Range.From, q.Range.To, q.Category)
	money := read(`SELECT concat('{', r.currency, ' {', sum(gross_minor), ' ', sum(refunded_minor), ' ', sum(orders), ' ', sum(r.units), ' ', sum(refunded_units), '}}')
		FROM stats.product_daily_revenue r`+of+` GROUP BY r.currency ORDER BY r.currency`, q.Range.From, q.Range.To, q.Category)
	return append(lines, fmt.Sprintf("%s [%s] %t", counts[0], strings.Join(money, " "), more))
}

// BenchmarkBigCatalog measures answers that no cache has, over random ranges and over the last 1, 7, 30 and 90 days. cpu-ms is the CPU time of
// Postgres and of this process for an answer, pg-ms that of Postgres alone. A catalog of the size that the goals are about takes some minutes and 3 GB:
//
//	go test ./services/analytics/internal/postgres -run '^$' -bench BigCatalog -benchtime 40x -catalog.products 100000
func BenchmarkBigCatalog(b *testing.B) {
	c := &bigCatalog{project: authn.Project{ID: 1, Zone: time.UTC, Currency: "EUR", WeekStart: time.Monday}, products: *bigProducts, apart: *bigApart, last: today, days: *bigDays}
	url := *bigDatabase
	if url == "" {
		database := dbtest.New(b)
		url, c.db = database.URL(), database.Pool("")
		c.fill(b)
		segmenttest.Merge(b, c.db, 1, today.AddDate(0, 0, 1-c.days), today.AddDate(0, 0, 1))
		if _, err := c.db.Exec(b.Context(), `VACUUM (ANALYZE)`); err != nil {
			b.Fatal(err)
		}
	}
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		b.Fatal(err)
	}
	cfg.MaxConns = 1
	cfg.ConnConfig.RuntimeParams["role"] = "hp_analytics"
	pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	var pid int
	if err := pool.QueryRow(b.Context(), `SELECT pg_backend_pid(), (SELECT max(day) FROM stats.product_segments)`).Scan(&pid, &c.last); err != nil {
		b.Fatal(err)
	}
	rows, _ := pool.Query(b.Context(), `SELECT sku FROM catalog.products WHERE project = 1 AND n <= $1`, c.products*c.apart)
	skus, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(skus) == 0 {
		b.Fatalf("%d products have numbers up to %d: %v", len(skus), c.products, err)
	}
	store := New(pool)
	random := rand.New(rand.NewPCG(1, 1))
	windows := map[string]func() report.Range{"any": func() report.Range {
		days := [2]int{random.IntN(c.days), random.IntN(c.days)}
		return report.Range{From: c.last.AddDate(0, 0, -max(days[0], days[1])), To: c.last.AddDate(0, 0, -min(days[0], days[1]))}
	}}
	for _, days := range []int{1, 7, 30, 90} {
		windows[fmt.Sprintf("%dd", days)] = func() report.Range { return report.Range{From: c.last.AddDate(0, 0, 1-days), To: c.last} }
	}
	for _, window := range []string{"1d", "7d", "30d", "90d", "any"} {
		for i, q := range questions(windows[window]()) {
			ask := func(ctx context.Context) error {
				_, err := store.Top(ctx, c.project, questions(windows[window]())[i].ask)
				return err
			}
			if q.ask.Category != "" { // the first time, no total of it is known
				b.Run(q.name+"-first/"+window, func(b *testing.B) {
					measureAnswers(b, pid, func(ctx context.Context) error {
						store.totals = newCategoryTotals()
						return ask(ctx)
					})
				})
			}
			b.Run(q.name+"/"+window, func(b *testing.B) { measureAnswers(b, pid, ask) })
		}
		b.Run("overview/"+window, func(b *testing.B) {
			measureAnswers(b, pid, func(ctx context.Context) error {
				_, err := store.Overview(ctx, c.project, windows[window](), report.Daily)
				return err
			})
		})
		b.Run("series/"+window, func(b *testing.B) {
			measureAnswers(b, pid, func(ctx context.Context) error {
				_, err := store.Series(ctx, c.project, ProductRef{SKU: skus[random.IntN(len(skus))]}, windows[window](), report.Daily)
				return err
			})
		})
	}
}

// measureAnswers reports percentiles of the time of an answer, and its CPU time.
func measureAnswers(b *testing.B, pid int, ask func(ctx context.Context) error) {
	b.Helper()
	if err := ask(b.Context()); err != nil { // it prepares the statements
		b.Fatal(err)
	}
	var took []time.Duration
	process, backend := platformtest.CPU(b), backendCPU(b, pid)
	for b.Loop() {
		begin := time.Now()
		if err := ask(b.Context()); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	process, backend = platformtest.CPU(b)-process, backendCPU(b, pid)-backend
	slices.SortFunc(took, cmp.Compare[time.Duration])
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
	b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
	b.ReportMetric(ms((process+backend)/time.Duration(len(took))), "cpu-ms")
	b.ReportMetric(ms(backend/time.Duration(len(took))), "pg-ms")
}

// backendCPU reads the CPU time of a backend of Postgres on this machine. It skips the benchmark where the kernel does not tell it.
func backendCPU(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		b.Skip(err)
	}
	var onCPU int64
	if _, err := fmt.Sscan(string(stat), &onCPU); err != nil {
		b.Fatal(err)
	}
	return time.Duration(onCPU)
}
