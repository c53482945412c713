package migrations_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

const (
	benchDays    = 400
	benchPerDay  = 1000 // events
	benchUsers   = 10_000
	benchInserts = 1000 // rows a statement
)

// BenchmarkPartitions compares partitions by day and by week: copies of ingest.events with the same events of 400 days. Each statement
// runs on both copies in turn. It prints the CPU time of the backend of Postgres, planning included, and the sizes.
func BenchmarkPartitions(b *testing.B) {
	c := newCopies(b)
	const newest = ` ORDER BY ts DESC LIMIT 50`
	last := c.first.AddDate(0, 0, benchDays-1)
	for _, test := range []struct {
		name, sql string
		args      func(n int) []any
	}{
		{"last 50 of a user", `SELECT ts, name FROM %s WHERE user_n = $1` + newest, func(n int) []any { return []any{n % benchUsers} }},
		{"last 50 of a product", `SELECT ts, name FROM %s WHERE project = 1 AND product = $1` + newest, func(n int) []any { return []any{n % 200 * 50} }},
		{"count of a day", `SELECT count(*) FROM %s WHERE project = 1 AND ts >= $1 AND ts < $2`, func(n int) []any {
			day := c.first.AddDate(0, 0, n*37%benchDays)
			return []any{day, day.AddDate(0, 0, 1)}
		}},
		{"insert 1000", `INSERT INTO %s (project, ts, id, user_n, product, batch, name)
			SELECT 1, $1::timestamptz + n * interval '1 millisecond', gen_random_uuid(), n * 37, n, 1, 1 FROM generate_series(1, $2::int) AS n`,
			func(n int) []any { return []any{last.Add(time.Duration(n) * time.Second), benchInserts} }},
	} {
		b.Run(test.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				for side := range c.sides {
					table := c.sides[(side+n)%len(c.sides)]
					c.run(b, table, fmt.Sprintf(test.sql, table+".events"), test.args(n)...)
				}
				n++
			}
			for _, side := range c.sides {
				b.ReportMetric(float64(c.cpu[side].Microseconds())/1000/float64(n), side+"-cpu-ms/op")
			}
			clear(c.cpu)
		})
	}
	b.Run("size", func(b *testing.B) {
		for b.Loop() {
			for _, side := range c.sides {
				var bytes int64
				err := c.conn.QueryRow(b.Context(), `SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = $1::regclass`, side+".events").Scan(&bytes)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(bytes)/(benchDays*benchPerDay), side+"-bytes/row")
			}
		}
	})
}

// copies are two copies of ingest.events that differ in their partitions.
type copies struct {
	conn  *pgx.Conn
	stat  *os.File // of the backend
	first time.Time
	sides []string // the schemas of the copies
	cpu   map[string]time.Duration
}

func newCopies(b *testing.B) *copies {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), dbtest.New(b).URL())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(b.Context()) })
	c := &copies{conn: conn, first: time.Date(2025, 1, 6, 0, 0, 0, 0, time.UTC), sides: []string{"day", "week"}, cpu: map[string]time.Duration{}}
	if c.stat, err = os.Open(fmt.Sprintf("/proc/%d/schedstat", conn.PgConn().PID())); err != nil {
		b.Skip("needs Linux: ", err)
	}
	b.Cleanup(func() { _ = c.stat.Close() })
	const fill = `
		CREATE SCHEMA side;
		CREATE TABLE side.events (LIKE ingest.events INCLUDING ALL) PARTITION BY RANGE (ts);
		DO $$ BEGIN
			FOR n IN 0 .. (DAYS - 1) / STEP LOOP
				EXECUTE format('CREATE TABLE side.events_%s PARTITION OF side.events FOR VALUES FROM (%L) TO (%L)',
					n, 'FIRST'::date + n * STEP, 'FIRST'::date + (n + 1) * STEP);
			END LOOP;
		END $$;
		INSERT INTO side.events (project, ts, id, user_n, product, batch, name)
		SELECT 1, 'FIRST'::timestamptz + n * interval '1 day' / PER, gen_random_uuid(), n * 7919 % USERS, n * 37 % 10000, n / 1000, 1
		FROM generate_series(0::bigint, DAYS * PER - 1) AS n;
		ANALYZE side.events`
	for i, side := range c.sides {
		sql := strings.NewReplacer("side", side, "DAYS", strconv.Itoa(benchDays), "STEP", strconv.Itoa([]int{1, 7}[i]), "FIRST", c.first.Format(time.RFC3339),
			"PER", strconv.Itoa(benchPerDay), "USERS", strconv.Itoa(benchUsers)).Replace(fill)
		for _, statement := range []string{`SET TIME ZONE 'UTC'`, sql, `VACUUM ` + side + `.events`} {
			if _, err := conn.Exec(b.Context(), statement); err != nil {
				b.Fatal(err)
			}
		}
	}
	return c
}

// run runs a statement on a copy and adds its CPU time. It is planned for its arguments, as the services have it.
func (c *copies) run(b *testing.B, side, sql string, args ...any) {
	b.Helper()
	before := c.used(b)
	rows, err := c.conn.Query(b.Context(), sql, append([]any{pgx.QueryExecModeExec}, args...)...)
	if err != nil {
		b.Fatal(err)
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	c.cpu[side] += c.used(b) - before
}

// used returns the CPU time of the backend since it began.
func (c *copies) used(b *testing.B) time.Duration {
	b.Helper()
	var text [64]byte
	if _, err := c.stat.ReadAt(text[:], 0); err != nil && text[0] == 0 {
		b.Fatal(err)
	}
	var ns int64
	if _, err := fmt.Sscan(string(text[:]), &ns); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ns)
}
