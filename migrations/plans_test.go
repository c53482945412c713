package migrations_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
)

// plan is a node of an EXPLAIN in JSON, as far as it tells how rows are found.
type plan struct {
	Type      string `json:"Node Type"`
	Relation  string `json:"Relation Name"`
	Condition string `json:"Index Cond"`
	Plans     []plan `json:"Plans"`
}

// walk yields the node and all below it.
func (p plan) walk(visit func(plan)) {
	visit(p)
	for _, child := range p.Plans {
		child.walk(visit)
	}
}

// Raw rows are found by what they are about and when, in whatever way the indexes are built: within a week, over weeks, and
// without reading a table as a whole.
func TestRawRowsAreFoundByIndex(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t).Pool("")
	first := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	// In each of two projects, three weeks of 7,000 events and 7,000 orders each of 200 products and 500 users, in the order in
	// which they would come. Users have other numbers in each project.
	for _, statement := range []string{
		`SELECT ingest.ensure_partitions('2026-01-05', '2026-01-25')`,
		`INSERT INTO ingest.events (project, ts, id, product, batch, user_n, name)
		 SELECT project, '2026-01-05'::timestamptz + n * interval '86.1 seconds', gen_random_uuid(), n * 37 % 200,
		        n / 100, project * 1000 + n * 53 % 500, 1
		 FROM generate_series(1, 21000) AS n, generate_series(1, 2) AS project`,
		`INSERT INTO ingest.orders (project, ts, id, batch, user_n, lines, currency, content_hash)
		 SELECT project, '2026-01-05'::timestamptz + n * interval '86.1 seconds', gen_random_uuid(), n / 100,
		        project * 1000 + n * 53 % 500, 1, 'EUR', ''
		 FROM generate_series(1, 21000) AS n, generate_series(1, 2) AS project`,
		`INSERT INTO ingest.order_lines (project, ts, order_id, line, product, quantity, amount_minor)
		 SELECT project, '2026-01-05'::timestamptz + n * interval '86.1 seconds', gen_random_uuid(), 1, n * 37 % 200, 1, 100
		 FROM generate_series(1, 21000) AS n, generate_series(1, 2) AS project`,
		`ANALYZE ingest.events, ingest.orders, ingest.order_lines`,
	} {
		if _, err := db.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	const (
		eventsByProduct = `SELECT ts, user_n, name FROM ingest.events WHERE project = 1 AND product = $1 AND ts >= $2 AND ts < $3`
		eventsByUser    = `SELECT ts, product, name FROM ingest.events WHERE user_n = $1 AND ts >= $2 AND ts < $3`
		linesByProduct  = `SELECT ts, order_id FROM ingest.order_lines WHERE project = 1 AND product = $1 AND ts >= $2 AND ts < $3`
		ordersByUser    = `SELECT ts, id FROM ingest.orders WHERE user_n = $1 AND ts >= $2 AND ts < $3`
		newest          = ` ORDER BY ts DESC LIMIT 10`
	)
	const product, user = 7, 1007
	for name, test := range map[string]struct {
		query, column string
		key           int
		from, to      time.Duration
		scans         int
	}{
		"events of a product within a week": {eventsByProduct, "product", product, 42 * time.Hour, 63 * time.Hour, 1},
		"events of a product over weeks":    {eventsByProduct, "product", product, 84 * time.Hour, 420 * time.Hour, 3},
		"events of a user within a week":    {eventsByUser, "user_n", user, 42 * time.Hour, 63 * time.Hour, 1},
		"events of a user over weeks":       {eventsByUser, "user_n", user, 84 * time.Hour, 420 * time.Hour, 3},
		"the newest events of a product":    {eventsByProduct + newest, "product", product, 0, 504 * time.Hour, 3},
		"the newest events of a user":       {eventsByUser + newest, "user_n", user, 0, 504 * time.Hour, 3},
		"order lines of a product":          {linesByProduct, "product", product, 42 * time.Hour, 420 * time.Hour, 1},
		"orders of a user":                  {ordersByUser, "user_n", user, 42 * time.Hour, 420 * time.Hour, 1},
		"the newest order lines of product": {linesByProduct + newest, "product", product, 0, 504 * time.Hour, 1},
		"the newest orders of a user":       {ordersByUser + newest, "user_n", user, 0, 504 * time.Hour, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var text string
			err := db.QueryRow(t.Context(), `EXPLAIN (FORMAT JSON) `+test.query, test.key, first.Add(test.from), first.Add(test.to)).Scan(&text)
			if err != nil {
				t.Fatal(err)
			}
			var plans []struct{ Plan plan }
			if err := json.Unmarshal([]byte(text), &plans); err != nil {
				t.Fatal(err)
			}
			found := 0
			plans[0].Plan.walk(func(p plan) {
				if p.Type == "Seq Scan" {
					t.Errorf("%s is read as a whole", p.Relation)
				}
				if strings.Contains(p.Condition, test.column+" = ") {
					found++
				}
			})
			if found != test.scans {
				t.Errorf("%d index scans by %s, want %d:\n%s", found, test.column, test.scans, text)
			}
		})
	}
}
