package migrations_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

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

// Raw rows are found by what they are about and when, in whatever way the indexes are built: within a day, over days, and
// without reading a partition as a whole.
func TestRawRowsAreFoundByIndex(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t).Pool("")
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	// Three days of 7,000 events each of 200 products and 500 users, in the order in which they would come.
	for _, statement := range []string{
		`SELECT ingest.ensure_partitions('2026-01-01', '2026-01-03')`,
		`INSERT INTO ingest.events (owner, ts, received_at, id, product_id, batch_id, user_id, type)
		 SELECT 1, '2026-01-01'::timestamptz + n * interval '12.3 seconds', now(), gen_random_uuid(), lpad(to_hex(n * 37 % 200), 32, '0')::uuid,
		        lpad(to_hex(n / 100), 32, '0')::uuid, 'user-' || n * 53 % 500, 'view'
		 FROM generate_series(1, 21000) AS n`,
		`ANALYZE ingest.events`,
	} {
		if _, err := db.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	const byProduct = `SELECT ts, user_id, type FROM ingest.events WHERE product_id = $1 AND ts >= $2 AND ts < $3`
	const byUser = `SELECT ts, product_id, type FROM ingest.events WHERE user_id = $1 AND ts >= $2 AND ts < $3`
	product, user := uuid.UUID{15: 7}, "user-7"
	for name, test := range map[string]struct {
		query, column string
		key           any
		from, to      time.Duration
		partitions    int
	}{
		"a product within a day":  {byProduct, "product_id", product, 6 * time.Hour, 9 * time.Hour, 1},
		"a product over days":     {byProduct, "product_id", product, 12 * time.Hour, 60 * time.Hour, 3},
		"a user within a day":     {byUser, "user_id", user, 6 * time.Hour, 9 * time.Hour, 1},
		"a user over days":        {byUser, "user_id", user, 12 * time.Hour, 60 * time.Hour, 3},
		"the newest of a product": {byProduct + ` ORDER BY ts DESC LIMIT 10`, "product_id", product, 0, 72 * time.Hour, 3},
		"the newest of a user":    {byUser + ` ORDER BY ts DESC LIMIT 10`, "user_id", user, 0, 72 * time.Hour, 3},
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
			if found != test.partitions {
				t.Errorf("%d partitions are read by an index on %s, want %d:\n%s", found, test.column, test.partitions, text)
			}
		})
	}
}
