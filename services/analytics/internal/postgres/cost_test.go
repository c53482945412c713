package postgres

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/authn"
	"github.com/hp-analytics/hp-analytics/internal/stats/segment/segmenttest"
	"github.com/hp-analytics/hp-analytics/internal/stats/sketch"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

// queries records the queries of a pool.
type queries struct {
	mu  sync.Mutex
	all []query
}

type query struct {
	sql  string
	args []any
}

// TraceQueryStart implements pgx.QueryTracer.
func (q *queries) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	q.mu.Lock()
	defer q.mu.Unlock()
	if strings.Contains(data.SQL, "stats.") || strings.Contains(data.SQL, "ingest.users") || strings.Contains(data.SQL, "ingest.names") {
		q.all = append(q.all, query{data.SQL, data.Args})
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (q *queries) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// take returns the queries since the last call.
func (q *queries) take() []query {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.all
	q.all = nil
	return taken
}

// scan is a node of a plan with what it read.
type scan struct {
	Type     string  `json:"Node Type"`
	Schema   string  `json:"Schema"`
	Relation string  `json:"Relation Name"`
	Rows     float64 `json:"Actual Rows"`
	Filtered float64 `json:"Rows Removed by Filter"`
	Checked  float64 `json:"Rows Removed by Index Recheck"`
	Loops    float64 `json:"Actual Loops"`
	Plans    []scan  `json:"Plans"`
}

// read returns the number of rollup rows that the plan reads, and the rollups that it reads from end to end although they are
// not small.
func (s scan) read() (rows float64, whole []string) {
	const small = 500
	if s.Schema == "stats" {
		rows = (s.Rows + s.Filtered + s.Checked) * s.Loops
		if s.Type == "Seq Scan" {
			if rows <= small {
				return 0, nil
			}
			whole = append(whole, s.Relation)
		}
	}
	for _, child := range s.Plans {
		r, w := child.read()
		rows, whole = rows+r, append(whole, w...)
	}
	return rows, whole
}

// The rollups of the test: two projects with the same numbers of all things.
const (
	allDays, allProducts, allUsers, allNames = 60, 100, 400, 50
)

// fill writes two projects with rows for every thing on every day, in the order of days as folds do.
func (i *inbox) fill() {
	i.t.Helper()
	one := sketch.New()
	one.Insert(1)
	blob, err := one.MarshalBinary()
	if err != nil {
		i.t.Fatal(err)
	}
	const day = `'2026-01-01'::date + d::int`
	const eachDay = `FROM generate_series(0, $1::int - 1) AS d, generate_series(1, 2) AS project`
	for _, statement := range []struct {
		sql  string
		args []any
	}{
		{`INSERT INTO auth.projects (slug, name) VALUES ('two', 'Two')`, nil},
		{`INSERT INTO catalog.products (id, n, project, sku, name, category, price_minor, currency)
		  OVERRIDING SYSTEM VALUE SELECT gen_random_uuid(), p * 1000 + n, p, 'sku-' || n, 'x', 'c' || n % 10, 1, 'EUR'
		  FROM generate_series(1, 2) AS p, generate_series(1, $1::int) AS n`, []any{allProducts}},
		{`INSERT INTO ingest.users (project, anonymous, n, id)
		  OVERRIDING SYSTEM VALUE SELECT p, false, p * 10000 + n, 'user-' || n FROM generate_series(1, 2) AS p, generate_series(1, $1::int) AS n`, []any{allUsers}},
		{`INSERT INTO ingest.names (project, n, name) SELECT p, 15 + n, 'name ' || n FROM generate_series(1, 2) AS p, generate_series(1, $1::int) AS n`, []any{allNames}},
		{`INSERT INTO stats.daily_stats (project, day, lane, events) SELECT project, ` + day + `, 0, 1 ` + eachDay, []any{allDays}},
		{`INSERT INTO stats.daily_revenue (project, day, currency, lane, gross_minor) SELECT project, ` + day + `, 'EUR', 0, 1 ` + eachDay, []any{allDays}},
		{`INSERT INTO stats.product_daily_stats (project, product, day, lane, events, views)
		  SELECT project, project * 1000 + n, ` + day + `, 0, n, n ` + eachDay + `, generate_series(1, $2::int) AS n ORDER BY d`, []any{allDays, allProducts}},
		{`INSERT INTO stats.product_daily_revenue (project, product, day, currency, lane, gross_minor)
		  SELECT project, project * 1000 + n, ` + day + `, 'EUR', 0, n ` + eachDay + `, generate_series(1, $2::int) AS n ORDER BY d`, []any{allDays, allProducts}},
		{`INSERT INTO stats.product_daily_users (project, product, day, lane, sketch)
		  SELECT project, project * 1000 + n, ` + day + `, 0, $3 ` + eachDay + `, generate_series(1, $2::int) AS n ORDER BY d`, []any{allDays, allProducts, blob}},
		{`INSERT INTO stats.product_hourly_stats (project, product, hour, lane, events)
		  SELECT project, project * 1000 + n, '2026-01-01'::timestamptz + d * interval '1 hour', 0, n ` + eachDay + `, generate_series(1, $2::int) AS n ORDER BY d`, []any{24 * allDays, allProducts / 4}},
		{`INSERT INTO stats.product_name_daily_stats (project, product, name, day, lane, events)
		  SELECT project, project * 1000 + n, 16 + n % 2, ` + day + `, 0, n ` + eachDay + `, generate_series(1, $2::int) AS n ORDER BY d`, []any{allDays, allProducts}},
		{`INSERT INTO stats.user_daily_stats (project, user_n, day, lane, events)
		  SELECT project, project * 10000 + n, ` + day + `, 0, n ` + eachDay + `, generate_series(1, $2::int) AS n ORDER BY d`, []any{allDays, allUsers}},
		{`INSERT INTO stats.user_daily_revenue (project, user_n, day, currency, lane, gross_minor)
		  SELECT project, project * 10000 + n, ` + day + `, 'EUR', 0, n ` + eachDay + `, generate_series(1, $2::int) AS n ORDER BY d`, []any{allDays, allUsers}},
		{`INSERT INTO stats.name_daily_stats (project, name, day, lane, events)
		  SELECT project, 15 + n, ` + day + `, 0, n ` + eachDay + `, generate_series(1, $2::int) AS n ORDER BY d`, []any{allDays, allNames}},
		{`INSERT INTO stats.name_hourly_stats (project, name, hour, lane, events)
		  SELECT project, 15 + n, '2026-01-01'::timestamptz + d * interval '1 hour', 0, n ` + eachDay + `, generate_series(1, $2::int) AS n ORDER BY d`, []any{24 * allDays, allNames / 10}},
		{`INSERT INTO stats.name_daily_users (project, name, day, lane, sketch)
		  SELECT project, 15 + n, ` + day + `, 0, $3 ` + eachDay + `, generate_series(1, $2::int) AS n ORDER BY d`, []any{allDays, allNames, blob}},
		{`VACUUM (ANALYZE)`, nil}, // it also summarizes the BRIN indexes, as autovacuum does
	} {
		i.exec(statement.sql, statement.args...)
	}
	segmenttest.Derive(i.t, i.db)
}

// TestAnswersReadBoundedRows asks each question about 3 of 60 days of a project. No table is read from end to end, and the number
// of rows depends on the range and on what is asked for, not on how much there is.
func TestAnswersReadBoundedRows(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	i := &inbox{t: t, db: database.Pool("")}
	i.fill()
	recorded := &queries{}
	config := database.Pool("hp_analytics").Config()
	config.ConnConfig.Tracer = recorded
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	store := New(pool)
	p := authn.Project{ID: 1, Zone: time.UTC, Currency: "EUR", WeekStart: time.Monday}
	from := time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC)
	r := report.Range{From: from, To: from.AddDate(0, 0, 2)}
	const length, limit = 3, 5
	ranking := func(change func(q *report.Ranking)) report.Ranking {
		q := report.Ranking{Range: r, Metric: report.Views, Limit: limit}
		change(&q)
		return q
	}
	top := func(q report.Ranking) func() error {
		return func() error { _, err := store.Top(t.Context(), p, q); return err }
	}
	// A ranking of products reads the segments of its range for its order and its totals, and the rows of the places for what it
	// shows; one of users reads the rows of all users. The rows of names and of users by day are found by blocks, which hold those
	// of other projects.
	const places = limit * length * 4
	const rankedProducts, blocks = 6*length + places, 8000
	for name, answer := range map[string]struct {
		ask  func() error
		most float64
	}{
		"top by a counter":  {top(ranking(func(*report.Ranking) {})), rankedProducts},
		"top by money":      {top(ranking(func(q *report.Ranking) { q.Metric, q.Currency = report.Net, "EUR" })), rankedProducts},
		"top by users":      {top(ranking(func(q *report.Ranking) { q.Metric = report.UniqueUsers })), rankedProducts + allProducts*length},
		"top by a name":     {top(ranking(func(q *report.Ranking) { q.Metric, q.Type = "", "name 1" })), rankedProducts + allProducts*length + blocks},
		"top of a category": {top(ranking(func(q *report.Ranking) { q.Category = "c1" })), rankedProducts},
		"series": {func() error {
			_, err := store.Series(t.Context(), p, ProductRef{SKU: "sku-1"}, r, report.Daily)
			return err
		}, 3*length + 1},
		"series by the hour": {func() error {
			_, err := store.Series(t.Context(), p, ProductRef{SKU: "sku-1"}, r, report.Hourly)
			return err
		}, 24*length + length + 1},
		"summary":  {func() error { _, err := store.Summary(t.Context(), p, "user-1", r); return err }, 2*length + 4},
		"overview": {func() error { _, err := store.Overview(t.Context(), p, r, report.Daily); return err }, 2 * 4 * length},
		"names": {func() error {
			_, err := store.EventNames(t.Context(), p, ranking(func(*report.Ranking) {}))
			return err
		}, allNames*length + 2*allNames + places},
		"event":         {func() error { _, err := store.EventSeries(t.Context(), p, "name 1", r, report.Daily); return err }, 2*length + 1},
		"event by hour": {func() error { _, err := store.EventSeries(t.Context(), p, "name 1", r, report.Hourly); return err }, 24*length + length + 1},
		"top users": {func() error {
			_, err := store.TopUsers(t.Context(), p, ranking(func(q *report.Ranking) { q.Metric = report.Events }))
			return err
		}, allUsers*length + places + blocks},
	} {
		recorded.take()
		if err := answer.ask(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		asked, sum := recorded.take(), 0.0
		if len(asked) < 2 {
			t.Errorf("%s: only %d queries were recorded", name, len(asked))
		}
		for _, q := range asked {
			rows, whole := i.plan(q).read()
			sum += rows
			for _, table := range whole {
				t.Errorf("%s reads %s from end to end:%s", name, table, q.sql)
			}
		}
		if sum > answer.most {
			t.Errorf("%s reads %.0f rows, want at most %.0f", name, sum, answer.most)
		}
	}
}

// plan runs a query and returns its plan.
func (i *inbox) plan(q query) scan {
	i.t.Helper()
	var text []byte
	if err := i.db.QueryRow(i.t.Context(), `EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) `+q.sql, q.args...).Scan(&text); err != nil {
		i.t.Fatalf("%v: %s", err, q.sql)
	}
	var root []struct{ Plan scan }
	if err := json.Unmarshal(text, &root); err != nil || len(root) != 1 {
		i.t.Fatalf("%v: %s", err, text)
	}
	return root[0].Plan
}
