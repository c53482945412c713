package postgres

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/migrations/dbtest"
	"github.com/hp-analytics/hp-analytics/services/analytics/internal/report"
)

func TestMain(m *testing.M) { platformtest.Main(m, dbtest.Stop) }

// inbox is a store, and the batches that it reads of.
type inbox struct {
	*Store

	t  *testing.T
	db *pgxpool.Pool // as superuser
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	database := dbtest.New(t)
	return &inbox{Store: New(database.Pool("hp_analytics")), t: t, db: database.Pool("")}
}

func (i *inbox) exec(sql string, args ...any) {
	i.t.Helper()
	if _, err := i.db.Exec(i.t.Context(), sql, args...); err != nil {
		i.t.Fatal(err)
	}
}

// batches adds n batches of 10 rows with ascending ids, as ingest makes them, pending or folded.
func (i *inbox) batches(n int, aggregated bool) {
	i.t.Helper()
	i.exec(`
		INSERT INTO ingest.batches (id, project, kind, rows, min_ts, max_ts, aggregated_at)
		SELECT (SELECT coalesce(max(id), 1000000000) FROM ingest.batches) + n, 1, 'events', 10, now(), now(), CASE WHEN $2 THEN now() END
		FROM generate_series(1, $1) AS n`, n, aggregated)
}

// meta reads the freshness as an answer does.
func (i *inbox) meta() report.Meta {
	i.t.Helper()
	return i.metaOf(1)
}

// metaOf reads the freshness of a project.
func (i *inbox) metaOf(project int16) report.Meta {
	i.t.Helper()
	m, err := i.snapshot(i.t.Context(), project, "nothing", func(pgx.Tx) error { return nil })
	if err != nil {
		i.t.Fatal(err)
	}
	return m
}

// node is a part of a plan.
type node struct {
	NodeType  string `json:"Node Type"`
	IndexName string `json:"Index Name"`
	Hit       int    `json:"Shared Hit Blocks"`
	Read      int    `json:"Shared Read Blocks"`
	Plans     []node `json:"Plans"`
}

func (n node) walk(visit func(node)) {
	visit(n)
	for _, child := range n.Plans {
		child.walk(visit)
	}
}

// explain runs the query of the freshness.
func (i *inbox) explain() node {
	i.t.Helper()
	var plan []byte
	if err := i.db.QueryRow(i.t.Context(), `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) `+pendingQuery, time.Now(), 1).Scan(&plan); err != nil {
		i.t.Fatal(err)
	}
	var root []struct{ Plan node }
	if err := json.Unmarshal(plan, &root); err != nil || len(root) != 1 {
		i.t.Fatalf("%v: %s", err, plan)
	}
	return root[0].Plan
}

// TestFreshnessIsCheapAtAnySize reads it beside many folded batches, and beside those that were pending until now, which
// the index still holds.
func TestFreshnessIsCheapAtAnySize(t *testing.T) {
	t.Parallel()
	const pending, most = 3000, 1000 // pages; the table has thousands, 100,000 entries of the index 600
	i := newInbox(t)
	check := func(when string) {
		t.Helper()
		plan := i.explain()
		var indexes []string
		plan.walk(func(n node) {
			if n.NodeType == "Seq Scan" {
				t.Errorf("%s: the table is read from end to end", when)
			}
			if n.IndexName != "" {
				indexes = append(indexes, n.IndexName)
			}
		})
		if !slices.Equal(indexes, []string{"batches_failed_idx", "batches_pending_idx"}) || plan.Hit+plan.Read > most {
			t.Errorf("%s: %d pages by %v, want at most %d by the indexes of what pends and of what failed", when, plan.Hit+plan.Read, indexes, most)
		}
		if m := i.meta(); m.PendingEvents != 10*pending {
			t.Errorf("%s: %d events pend, want %d", when, m.PendingEvents, 10*pending)
		}
	}
	i.batches(200_000, true)
	i.batches(pending, false)
	check("before statistics are there")
	i.exec(`ANALYZE ingest.batches`)
	check("with statistics")
	for range 5 { // a day's work: what pends is folded, the rest of it lies about
		i.batches(20_000, false)
		i.exec(`UPDATE ingest.batches SET aggregated_at = now() WHERE aggregated_at IS NULL`)
	}
	i.batches(pending, false)
	i.meta() // the first to come marks what is dead
	check("with 100,000 dead entries")
}

// TestAGreatBacklogIsNotAddedUpForEveryAnswer reads with as many batches pending as there are after a long outage.
func TestAGreatBacklogIsNotAddedUpForEveryAnswer(t *testing.T) {
	t.Parallel()
	i := newInbox(t)
	i.batches(2*manyBatches, false)
	begin, first := time.Now(), i.meta()
	i.exec(`UPDATE ingest.batches SET aggregated_at = now()`)
	second := i.meta()
	if time.Since(begin) < backlogTTL && (second.PendingEvents != first.PendingEvents || !second.CompleteUntil.Equal(first.CompleteUntil)) {
		t.Errorf("added up again: %+v, then %+v", first, second)
	}
	if !second.AsOf.After(first.AsOf) {
		t.Errorf("as of %s, then %s", first.AsOf, second.AsOf)
	}
	platformtest.Eventually(t, 5*time.Second, "the end of the backlog is noticed", func() bool { return i.meta().PendingEvents == 0 })
	// A small one is read in the snapshot of the numbers.
	for n := range 3 {
		i.exec(`INSERT INTO ingest.batches (id, project, kind, rows, min_ts, max_ts) VALUES (nextval('ingest.batch_ids'), 1, 'events', 1, now(), now())`)
		if m := i.meta(); m.PendingEvents != int64(n+1) {
			t.Errorf("%d events pend, want %d", m.PendingEvents, n+1)
		}
	}
}

// The backlog of one project does not hold back the numbers of another, whether it is small or cached; a write in flight does,
// because nobody can see yet whose it is.
func TestAProjectWaitsForItsOwnBacklogOnly(t *testing.T) {
	t.Parallel()
	i := newInbox(t)
	i.exec(`
		INSERT INTO ingest.batches (id, project, kind, rows, received_at, min_ts, max_ts, failed_at, next_attempt_at, failure) VALUES
			(1, 2, 'events', 7, now() - interval '1 hour', now(), now(), NULL, NULL, NULL),
			(2, 2, 'orders', 3, now() - interval '2 hours', now(), now(), now(), now(), 'why'),
			(3, 3, 'refunds', 1, now() - interval '3 hours', now(), now(), NULL, NULL, NULL)`)
	check := func(when string) {
		t.Helper()
		mine, stranger := i.metaOf(1), i.metaOf(2)
		if lag := mine.AsOf.Sub(mine.CompleteUntil); lag > time.Minute || mine.PendingEvents != 0 || mine.FailedEvents != 0 {
			t.Errorf("%s: a project without a backlog is complete until %s before the answer, %d pending, %d failed", when, lag, mine.PendingEvents, mine.FailedEvents)
		}
		if lag := stranger.AsOf.Sub(stranger.CompleteUntil); (lag-time.Hour).Abs() > time.Minute || stranger.PendingEvents != 7 || stranger.FailedEvents != 3 {
			t.Errorf("%s: the project with the backlog is complete until %s before the answer, %d pending, %d failed", when, lag, stranger.PendingEvents, stranger.FailedEvents)
		}
	}
	check("few batches")
	i.exec(`
		INSERT INTO ingest.batches (id, project, kind, rows, received_at, min_ts, max_ts)
		SELECT n, 3, 'events', 1, now() - interval '3 hours', now(), now() FROM generate_series(10, 10 + $1) AS n`, manyBatches)
	check("many batches, which are added up")
	check("many batches, from the cache")
}

func BenchmarkFreshness(b *testing.B) {
	for _, pending := range []int{10, 1000, manyBatches - 1, 10 * manyBatches} {
		b.Run(strconv.Itoa(pending), func(b *testing.B) {
			database := dbtest.New(b)
			store, db := New(database.Pool("hp_analytics")), database.Pool("")
			if _, err := db.Exec(b.Context(), `
				INSERT INTO ingest.batches (id, project, kind, rows, min_ts, max_ts)
				SELECT n, 1, 'events', 10, now(), now()
				FROM generate_series(1, $1) AS n`, pending); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := store.snapshot(b.Context(), 1, "nothing", func(pgx.Tx) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
